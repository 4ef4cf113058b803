package driver

import (
	"context"
	"errors"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/san-csi/san-csi/pkg/san"
)

// ControllerPublishVolume grants the LUN to the node's initiator (CSI spec,
// ControllerPublishVolume).
func (c *Controller) ControllerPublishVolume(ctx context.Context, req *csi.ControllerPublishVolumeRequest) (*csi.ControllerPublishVolumeResponse, error) {
	if err := required(field{"volume_id", req.GetVolumeId()}, field{"node_id", req.GetNodeId()}); err != nil {
		return nil, err
	}
	if err := checkCapability(req.GetVolumeCapability()); err != nil {
		return nil, err
	}
	leave, err := c.busy.enter(req.GetVolumeId())
	if err != nil {
		return nil, err
	}
	defer leave()
	m := req.GetVolumeCapability().GetAccessMode().GetMode()
	g, err := c.access.Grant(ctx, req.GetVolumeId(), req.GetNodeId(), san.Mode{
		Shared:   shared(m),
		ReadOnly: req.GetReadonly() || readOnly(m),
	})
	if err != nil {
		return nil, err
	}
	return &csi.ControllerPublishVolumeResponse{PublishContext: encodeGrant(g)}, nil
}

// ControllerUnpublishVolume takes the LUN from the node: when it returns, the
// node can no longer write (CSI spec, ControllerUnpublishVolume).
func (c *Controller) ControllerUnpublishVolume(ctx context.Context, req *csi.ControllerUnpublishVolumeRequest) (*csi.ControllerUnpublishVolumeResponse, error) {
	if err := required(field{"volume_id", req.GetVolumeId()}); err != nil {
		return nil, err
	}
	leave, err := c.busy.enter(req.GetVolumeId())
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := c.access.Revoke(ctx, req.GetVolumeId(), req.GetNodeId()); err != nil {
		if errors.Is(err, san.ErrNotFound) {
			return nil, status.Error(codes.FailedPrecondition, err.Error()) // its array is not configured
		}
		return nil, err
	}
	return &csi.ControllerUnpublishVolumeResponse{}, nil
}
