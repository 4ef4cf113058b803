package driver

import (
	"context"
	"slices"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// ListVolumes lists this cluster's volumes and who has them (CSI spec,
// ListVolumes).
func (c *Controller) ListVolumes(ctx context.Context, req *csi.ListVolumesRequest) (*csi.ListVolumesResponse, error) {
	if req.GetMaxEntries() < 0 {
		return nil, status.Errorf(codes.InvalidArgument, "max_entries %d: must not be negative", req.GetMaxEntries())
	}
	volumes, next, err := c.volumes.List(ctx, req.GetStartingToken(), int(req.GetMaxEntries()))
	if err != nil {
		return nil, err
	}
	resp := &csi.ListVolumesResponse{NextToken: next}
	for _, v := range volumes {
		resp.Entries = append(resp.Entries, &csi.ListVolumesResponse_Entry{
			Volume: encodeVolume(&v, nil),
			Status: &csi.ListVolumesResponse_VolumeStatus{PublishedNodeIds: c.nodes.idsOf(v.Nodes)},
		})
	}
	return resp, nil
}

// ControllerGetVolume tells of one volume what ListVolumes tells of all (CSI
// spec, ControllerGetVolume).
func (c *Controller) ControllerGetVolume(ctx context.Context, req *csi.ControllerGetVolumeRequest) (*csi.ControllerGetVolumeResponse, error) {
	if err := required(field{"volume_id", req.GetVolumeId()}); err != nil {
		return nil, err
	}
	v, err := c.volumes.Get(ctx, req.GetVolumeId())
	if err != nil {
		return nil, err
	}
	return &csi.ControllerGetVolumeResponse{
		Volume: encodeVolume(v, nil),
		Status: &csi.ControllerGetVolumeResponse_VolumeStatus{PublishedNodeIds: c.nodes.idsOf(v.Nodes)},
	}, nil
}

// GetCapacity tells what the class may still take; nothing where no volume of
// those capabilities is offered (CSI spec, GetCapacity).
func (c *Controller) GetCapacity(ctx context.Context, req *csi.GetCapacityRequest) (*csi.GetCapacityResponse, error) {
	if slices.ContainsFunc(req.GetVolumeCapabilities(), func(c *csi.VolumeCapability) bool { return unsupported(c) != "" }) {
		return &csi.GetCapacityResponse{}, nil
	}
	room, err := c.volumes.Capacity(ctx, req.GetParameters(), req.GetAccessibleTopology().GetSegments())
	if err != nil {
		return nil, err
	}
	return &csi.GetCapacityResponse{
		AvailableCapacity: room.AvailableBytes,
		MaximumVolumeSize: wrapperspb.Int64(room.MaxVolumeBytes),
		MinimumVolumeSize: wrapperspb.Int64(room.MinVolumeBytes),
	}, nil
}
