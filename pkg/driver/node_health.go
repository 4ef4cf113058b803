package driver

import (
	"context"

	"github.com/container-storage-interface/spec/lib/go/csi"
)

// NodeGetVolumeHealth tells what is wrong with a staged volume on this node (CSI
// spec, NodeGetVolumeHealth).
func (n *Node) NodeGetVolumeHealth(ctx context.Context, req *csi.NodeGetVolumeHealthRequest) (*csi.NodeGetVolumeHealthResponse, error) {
	if err := required(field{"volume_id", req.GetVolumeId()}); err != nil {
		return nil, err
	}
	conditions, err := n.o.Stager.Health(ctx, req.GetVolumeId())
	if err != nil {
		return nil, err
	}
	h := &csi.VolumeHealth{VolumeId: req.GetVolumeId()}
	for _, c := range conditions {
		status := csi.VolumeHealthErrorType_INACCESSIBLE
		if c.Usable {
			status = csi.VolumeHealthErrorType_DEGRADED
		}
		h.HealthStatuses = append(h.HealthStatuses, &csi.VolumeHealth_VolumeHealthEntry{
			Status: status, Reason: c.Reason, Message: c.Message,
		})
	}
	return &csi.NodeGetVolumeHealthResponse{VolumeHealth: h}, nil
}

// NodeGetStorageHealth tells what is wrong with the node's iSCSI (CSI spec,
// NodeGetStorageHealth).
func (n *Node) NodeGetStorageHealth(ctx context.Context, _ *csi.NodeGetStorageHealthRequest) (*csi.NodeGetStorageHealthResponse, error) {
	resp := &csi.NodeGetStorageHealthResponse{}
	for _, c := range n.o.Stager.NodeHealth(ctx) {
		status := csi.StorageHealthErrorType_STORAGE_UNREACHABLE
		if c.Usable {
			status = csi.StorageHealthErrorType_STORAGE_DEGRADED
		}
		resp.BackendHealth = append(resp.BackendHealth, &csi.NodeGetStorageHealthResponse_StorageBackendHealth{
			Status: status, Reason: c.Reason, Message: c.Message,
		})
	}
	return resp, nil
}
