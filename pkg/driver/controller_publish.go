package driver

import (
	"context"

	"github.com/container-storage-interface/spec/lib/go/csi"

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
	m := req.GetVolumeCapability().GetAccessMode().GetMode()
	var g *san.Grant
	err := c.busy.do(req.GetVolumeId(), func() (err error) {
		g, err = c.access.Grant(ctx, req.GetVolumeId(), req.GetNodeId(), san.Mode{
			Shared:   shared(m),
			ReadOnly: req.GetReadonly() || readOnly(m),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	c.nodes.note(req.GetNodeId())
	published := encodeGrant(g)
	if err := sealCHAP(published, g, req.GetNodeId()); err != nil {
		return nil, err
	}
	return &csi.ControllerPublishVolumeResponse{PublishContext: published}, nil
}

// ControllerUnpublishVolume takes the LUN from the node: when it returns, the
// node can no longer write (CSI spec, ControllerUnpublishVolume).
func (c *Controller) ControllerUnpublishVolume(ctx context.Context, req *csi.ControllerUnpublishVolumeRequest) (*csi.ControllerUnpublishVolumeResponse, error) {
	if err := required(field{"volume_id", req.GetVolumeId()}); err != nil {
		return nil, err
	}
	err := c.busy.do(req.GetVolumeId(), func() error { return c.access.Revoke(ctx, req.GetVolumeId(), req.GetNodeId()) })
	if err != nil {
		return nil, notGone(err)
	}
	return &csi.ControllerUnpublishVolumeResponse{}, nil
}
