package driver

import (
	"context"

	"github.com/container-storage-interface/spec/lib/go/csi"

	"github.com/san-csi/san-csi/pkg/provision"
	"github.com/san-csi/san-csi/pkg/san"
)

// Volumes are the flows that make and change volumes.
type Volumes interface {
	Create(ctx context.Context, req provision.CreateRequest) (*provision.Created, error)
	Delete(ctx context.Context, id string) error
	Get(ctx context.Context, id string) (*san.Volume, error)
	List(ctx context.Context, token string, limit int) ([]san.Volume, string, error)
	Expand(ctx context.Context, id string, size provision.Size) (*san.Volume, error)
	Modify(ctx context.Context, id string, params map[string]string) error
	Capacity(ctx context.Context, params, place map[string]string) (provision.Capacity, error)
	Ailments(v *san.Volume) []provision.Ailment
}

// Access are the flows that grant volumes to nodes.
type Access interface {
	Grant(ctx context.Context, id, nodeID string, m san.Mode) (*san.Grant, error)
	Revoke(ctx context.Context, id, nodeID string) error
}

// Controller is the CSI Controller service.
type Controller struct {
	csi.UnimplementedControllerServer
	volumes   Volumes
	access    Access
	snapshots Snapshots
	busy      *inflight
	nodes     announced
}

// NewController is the Controller service on those flows.
func NewController(v Volumes, a Access, s Snapshots) *Controller {
	return &Controller{volumes: v, access: a, snapshots: s, busy: newInflight()}
}

// ControllerGetCapabilities tells what the controller can do.
func (c *Controller) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	types := []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_PUBLISH_UNPUBLISH_VOLUME,
		csi.ControllerServiceCapability_RPC_PUBLISH_READONLY,
		csi.ControllerServiceCapability_RPC_LIST_VOLUMES,
		csi.ControllerServiceCapability_RPC_LIST_VOLUMES_PUBLISHED_NODES,
		csi.ControllerServiceCapability_RPC_GET_VOLUME,
		csi.ControllerServiceCapability_RPC_GET_CAPACITY,
		csi.ControllerServiceCapability_RPC_EXPAND_VOLUME,
		csi.ControllerServiceCapability_RPC_MODIFY_VOLUME,
		csi.ControllerServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
		csi.ControllerServiceCapability_RPC_GET_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_CLONE_VOLUME,
		csi.ControllerServiceCapability_RPC_GET_VOLUME_HEALTH,
		csi.ControllerServiceCapability_RPC_LIST_VOLUME_HEALTH,
	}
	resp := &csi.ControllerGetCapabilitiesResponse{}
	for _, t := range types {
		resp.Capabilities = append(resp.Capabilities, &csi.ControllerServiceCapability{
			Type: &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: t}},
		})
	}
	return resp, nil
}
