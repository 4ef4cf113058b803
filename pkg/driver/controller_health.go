package driver

import (
	"context"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/san-csi/san-csi/pkg/san"
)

// ControllerGetVolumeHealth tells what the array says of one volume (CSI spec,
// ControllerGetVolumeHealth).
func (c *Controller) ControllerGetVolumeHealth(ctx context.Context, req *csi.ControllerGetVolumeHealthRequest) (*csi.ControllerGetVolumeHealthResponse, error) {
	if err := required(field{"volume_id", req.GetVolumeId()}); err != nil {
		return nil, err
	}
	v, err := c.volumes.Get(ctx, req.GetVolumeId())
	if err != nil {
		return nil, err
	}
	return &csi.ControllerGetVolumeHealthResponse{VolumeHealth: encodeHealth(v)}, nil
}

// ControllerListVolumeHealth tells of the volumes that cannot be used (CSI spec,
// ControllerListVolumeHealth); a page may have fewer of them than asked for.
func (c *Controller) ControllerListVolumeHealth(ctx context.Context, req *csi.ControllerListVolumeHealthRequest) (*csi.ControllerListVolumeHealthResponse, error) {
	if req.GetMaxEntries() < 0 {
		return nil, status.Errorf(codes.InvalidArgument, "max_entries %d: must not be negative", req.GetMaxEntries())
	}
	volumes, next, err := c.volumes.List(ctx, req.GetStartingToken(), int(req.GetMaxEntries()))
	if err != nil {
		return nil, err
	}
	resp := &csi.ControllerListVolumeHealthResponse{NextToken: next}
	for _, v := range volumes {
		if v.Fault != "" {
			resp.Entries = append(resp.Entries, encodeHealth(&v))
		}
	}
	return resp, nil
}

func encodeHealth(v *san.Volume) *csi.VolumeHealth {
	h := &csi.VolumeHealth{VolumeId: v.Handle.String()}
	if v.Fault != "" {
		h.HealthStatuses = []*csi.VolumeHealth_VolumeHealthEntry{{
			Status: csi.VolumeHealthErrorType_INACCESSIBLE, Reason: "NoAccess", Message: v.Fault,
		}}
	}
	return h
}
