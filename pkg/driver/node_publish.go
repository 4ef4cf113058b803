package driver

import (
	"context"
	"errors"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/stage"
)

// NodePublishVolume shows the staged volume at the workload's path (CSI spec,
// NodePublishVolume). One that is not staged, where the request has its grant, is staged.
func (n *Node) NodePublishVolume(ctx context.Context, req *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	if err := required(field{"volume_id", req.GetVolumeId()}, field{"target_path", req.GetTargetPath()},
		field{"staging_target_path", req.GetStagingTargetPath()}); err != nil {
		return nil, err
	}
	c := req.GetVolumeCapability()
	if err := checkCapability(c); err != nil {
		return nil, err
	}
	m := c.GetAccessMode().GetMode()
	p := stage.PublishRequest{
		VolumeID:     req.GetVolumeId(),
		StagingPath:  req.GetStagingTargetPath(),
		TargetPath:   req.GetTargetPath(),
		Block:        c.GetBlock() != nil,
		ReadOnly:     req.GetReadonly() || readOnly(m),
		MountFlags:   c.GetMount().GetMountFlags(),
		SingleWriter: m == csi.VolumeCapability_AccessMode_SINGLE_NODE_SINGLE_WRITER,
	}
	err := n.o.Stager.Publish(ctx, p)
	if errors.Is(err, stage.ErrNotFound) && len(req.GetPublishContext()) > 0 {
		err = n.stageAndPublish(ctx, req, p)
	}
	if err != nil {
		return nil, err
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

// stageAndPublish stages by the grant that comes with the request. The kubelet does not
// learn that a fence took a stage away: where the next pod comes before it has unstaged
// the volume, it takes it for staged, publishes, and would do so for ever.
func (n *Node) stageAndPublish(ctx context.Context, req *csi.NodePublishVolumeRequest, p stage.PublishRequest) error {
	s, err := stageRequest(&csi.NodeStageVolumeRequest{
		VolumeId: req.GetVolumeId(), PublishContext: req.GetPublishContext(), StagingTargetPath: req.GetStagingTargetPath(),
		VolumeCapability: req.GetVolumeCapability(), VolumeContext: req.GetVolumeContext(),
	})
	if err != nil {
		return err
	}
	klog.FromContext(ctx).Info("Volume is to be published and is not staged: it is staged first", "volume", s.VolumeID, "epoch", s.Epoch)
	if err := n.o.Stager.Stage(ctx, s); err != nil {
		return err
	}
	return n.o.Stager.Publish(ctx, p)
}

// NodeUnpublishVolume takes the volume from the workload's path (CSI spec,
// NodeUnpublishVolume).
func (n *Node) NodeUnpublishVolume(ctx context.Context, req *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	if err := required(field{"volume_id", req.GetVolumeId()}, field{"target_path", req.GetTargetPath()}); err != nil {
		return nil, err
	}
	if err := n.o.Stager.Unpublish(ctx, req.GetVolumeId(), req.GetTargetPath()); err != nil {
		return nil, err
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

// NodeExpandVolume lets the node see the new size (CSI spec, NodeExpandVolume).
func (n *Node) NodeExpandVolume(ctx context.Context, req *csi.NodeExpandVolumeRequest) (*csi.NodeExpandVolumeResponse, error) {
	if err := required(field{"volume_id", req.GetVolumeId()}, field{"volume_path", req.GetVolumePath()}); err != nil {
		return nil, err
	}
	size, err := n.o.Stager.Expand(ctx, stage.ExpandRequest{
		VolumeID:      req.GetVolumeId(),
		VolumePath:    req.GetVolumePath(),
		RequiredBytes: req.GetCapacityRange().GetRequiredBytes(),
		Block:         req.GetVolumeCapability().GetBlock() != nil,
	})
	if err != nil {
		return nil, err
	}
	return &csi.NodeExpandVolumeResponse{CapacityBytes: size}, nil
}

// NodeGetVolumeStats tells how full the volume is (CSI spec,
// NodeGetVolumeStats).
func (n *Node) NodeGetVolumeStats(ctx context.Context, req *csi.NodeGetVolumeStatsRequest) (*csi.NodeGetVolumeStatsResponse, error) {
	if err := required(field{"volume_id", req.GetVolumeId()}, field{"volume_path", req.GetVolumePath()}); err != nil {
		return nil, err
	}
	s, err := n.o.Stager.Stats(ctx, req.GetVolumeId(), req.GetVolumePath())
	if err != nil {
		return nil, err
	}
	usage := []*csi.VolumeUsage{{
		Unit: csi.VolumeUsage_BYTES, Total: s.TotalBytes, Available: s.AvailableBytes, Used: s.UsedBytes,
	}}
	if !s.Block {
		usage = append(usage, &csi.VolumeUsage{
			Unit: csi.VolumeUsage_INODES, Total: s.TotalInodes, Available: s.AvailableInodes, Used: s.UsedInodes,
		})
	}
	return &csi.NodeGetVolumeStatsResponse{Usage: usage}, nil
}
