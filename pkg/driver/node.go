package driver

import (
	"context"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"

	"github.com/san-csi/san-csi/pkg/provision"
	"github.com/san-csi/san-csi/pkg/san"
	"github.com/san-csi/san-csi/pkg/stage"
)

// Stager are the node's flows.
type Stager interface {
	Stage(ctx context.Context, req stage.StageRequest) error
	Unstage(ctx context.Context, volumeID, stagingPath string) error
	Publish(ctx context.Context, req stage.PublishRequest) error
	Unpublish(ctx context.Context, volumeID, targetPath string) error
	Expand(ctx context.Context, req stage.ExpandRequest) (int64, error)
	Stats(ctx context.Context, volumeID, volumePath string) (stage.Stats, error)
	Health(ctx context.Context, volumeID string) ([]stage.Condition, error)
	NodeHealth(ctx context.Context) []stage.Condition
}

// NodeOptions are what the Node service works with.
type NodeOptions struct {
	Stager     Stager
	Node       san.Node // this node
	MaxVolumes int64    // how many volumes the node takes; 0 = the CO decides
	// Topology are the node's labels by which arrays say who reaches them; empty =
	// no array does.
	Topology map[string]string
}

// Node is the CSI Node service. The flows themselves run one call per volume at
// a time.
type Node struct {
	csi.UnimplementedNodeServer
	o NodeOptions
}

// NewNode is the Node service on those flows.
func NewNode(o NodeOptions) *Node { return &Node{o: o} }

// NodeGetInfo names the node by its initiator (CSI spec, NodeGetInfo).
func (n *Node) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	resp := &csi.NodeGetInfoResponse{NodeId: n.o.Node.String(), MaxVolumesPerNode: n.o.MaxVolumes}
	if len(n.o.Topology) > 0 {
		resp.AccessibleTopology = &csi.Topology{Segments: n.o.Topology}
	}
	return resp, nil
}

// NodeGetCapabilities tells what the node can do.
func (n *Node) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	resp := &csi.NodeGetCapabilitiesResponse{}
	for _, t := range []csi.NodeServiceCapability_RPC_Type{
		csi.NodeServiceCapability_RPC_STAGE_UNSTAGE_VOLUME,
		csi.NodeServiceCapability_RPC_GET_VOLUME_STATS,
		csi.NodeServiceCapability_RPC_EXPAND_VOLUME,
		csi.NodeServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
		csi.NodeServiceCapability_RPC_GET_VOLUME_HEALTH,
		csi.NodeServiceCapability_RPC_GET_STORAGE_HEALTH,
	} {
		resp.Capabilities = append(resp.Capabilities, &csi.NodeServiceCapability{
			Type: &csi.NodeServiceCapability_Rpc{Rpc: &csi.NodeServiceCapability_RPC{Type: t}},
		})
	}
	return resp, nil
}

// NodeStageVolume logs in, checks the device, formats it if it may and mounts
// it (CSI spec, NodeStageVolume).
func (n *Node) NodeStageVolume(ctx context.Context, req *csi.NodeStageVolumeRequest) (*csi.NodeStageVolumeResponse, error) {
	if err := required(field{"volume_id", req.GetVolumeId()}, field{"staging_target_path", req.GetStagingTargetPath()}); err != nil {
		return nil, err
	}
	if err := checkCapability(req.GetVolumeCapability()); err != nil {
		return nil, err
	}
	s, err := stageRequest(req)
	if err != nil {
		return nil, err
	}
	if err := n.o.Stager.Stage(ctx, s); err != nil {
		return nil, err
	}
	return &csi.NodeStageVolumeResponse{}, nil
}

func stageRequest(req *csi.NodeStageVolumeRequest) (stage.StageRequest, error) {
	c := req.GetVolumeCapability()
	s := stage.StageRequest{
		VolumeID:    req.GetVolumeId(),
		StagingPath: req.GetStagingTargetPath(),
		Block:       c.GetBlock() != nil,
		MountFlags:  c.GetMount().GetMountFlags(),
		MkfsOptions: strings.Fields(req.GetVolumeContext()[provision.ContextMkfsOptions]),
		Fsck:        req.GetVolumeContext()[provision.ContextFsck],
	}
	if !s.Block {
		s.FSType = filesystem(c)
	}
	return s, decodeGrant(req.GetPublishContext(), &s)
}

// NodeUnstageVolume takes the volume off the node (CSI spec,
// NodeUnstageVolume).
func (n *Node) NodeUnstageVolume(ctx context.Context, req *csi.NodeUnstageVolumeRequest) (*csi.NodeUnstageVolumeResponse, error) {
	if err := required(field{"volume_id", req.GetVolumeId()}, field{"staging_target_path", req.GetStagingTargetPath()}); err != nil {
		return nil, err
	}
	if err := n.o.Stager.Unstage(ctx, req.GetVolumeId(), req.GetStagingTargetPath()); err != nil {
		return nil, err
	}
	return &csi.NodeUnstageVolumeResponse{}, nil
}
