package driver

import (
	"context"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/san-csi/san-csi/pkg/san"
)

// ControllerGetVolumeHealth tells what the array says of one volume, and of itself
// (CSI spec, ControllerGetVolumeHealth).
func (c *Controller) ControllerGetVolumeHealth(ctx context.Context, req *csi.ControllerGetVolumeHealthRequest) (*csi.ControllerGetVolumeHealthResponse, error) {
	if err := required(field{"volume_id", req.GetVolumeId()}); err != nil {
		return nil, err
	}
	v, err := c.volumes.Get(ctx, req.GetVolumeId())
	if err != nil {
		return nil, err
	}
	return &csi.ControllerGetVolumeHealthResponse{VolumeHealth: c.health(v)}, nil
}

// ControllerListVolumeHealth tells of the volumes with which something is wrong (CSI
// spec, ControllerListVolumeHealth); a page may have fewer of them than asked for.
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
		if h := c.health(&v); len(h.GetHealthStatuses()) > 0 {
			resp.Entries = append(resp.Entries, h)
		}
	}
	return resp, nil
}

func (c *Controller) health(v *san.Volume) *csi.VolumeHealth {
	h := &csi.VolumeHealth{VolumeId: v.Handle.String()}
	for _, a := range c.volumes.Ailments(v) {
		status := csi.VolumeHealthErrorType_INACCESSIBLE
		if a.Usable {
			status = csi.VolumeHealthErrorType_DEGRADED
		}
		h.HealthStatuses = append(h.HealthStatuses, &csi.VolumeHealth_VolumeHealthEntry{Status: status, Reason: a.Reason, Message: a.Message})
	}
	return h
}
