package driver

import (
	"context"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/san-csi/san-csi/pkg/san"
)

// Groups are the flows that keep the content of several volumes at one moment.
type Groups interface {
	CreateGroup(ctx context.Context, name string, volumeIDs []string, params map[string]string) (*san.SnapshotGroup, error)
	GetGroup(ctx context.Context, id string, snapshotIDs []string) (*san.SnapshotGroup, error)
	DeleteGroup(ctx context.Context, id string, snapshotIDs []string) error
}

// GroupController is the CSI GroupController service.
type GroupController struct {
	csi.UnimplementedGroupControllerServer
	groups Groups
	busy   *inflight
}

// NewGroupController is the GroupController service on those flows.
func NewGroupController(g Groups) *GroupController {
	return &GroupController{groups: g, busy: newInflight()}
}

// GroupControllerGetCapabilities tells what the service can do.
func (g *GroupController) GroupControllerGetCapabilities(context.Context, *csi.GroupControllerGetCapabilitiesRequest) (*csi.GroupControllerGetCapabilitiesResponse, error) {
	return &csi.GroupControllerGetCapabilitiesResponse{Capabilities: []*csi.GroupControllerServiceCapability{{
		Type: &csi.GroupControllerServiceCapability_Rpc{Rpc: &csi.GroupControllerServiceCapability_RPC{
			Type: csi.GroupControllerServiceCapability_RPC_CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT,
		}},
	}}}, nil
}

// CreateVolumeGroupSnapshot keeps the LUNs' content (CSI spec,
// CreateVolumeGroupSnapshot).
func (g *GroupController) CreateVolumeGroupSnapshot(ctx context.Context, req *csi.CreateVolumeGroupSnapshotRequest) (*csi.CreateVolumeGroupSnapshotResponse, error) {
	if err := required(field{"name", req.GetName()}); err != nil {
		return nil, err
	}
	if err := checkName(req.GetName()); err != nil {
		return nil, err
	}
	if len(req.GetSourceVolumeIds()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "source_volume_ids: missing")
	}
	var made *san.SnapshotGroup
	err := g.busy.do("name/"+req.GetName(), func() (err error) {
		made, err = g.groups.CreateGroup(ctx, req.GetName(), req.GetSourceVolumeIds(), req.GetParameters())
		return err
	})
	if err != nil {
		return nil, err
	}
	return &csi.CreateVolumeGroupSnapshotResponse{GroupSnapshot: encodeGroup(made)}, nil
}

// DeleteVolumeGroupSnapshot removes a group and its snapshots (CSI spec,
// DeleteVolumeGroupSnapshot).
func (g *GroupController) DeleteVolumeGroupSnapshot(ctx context.Context, req *csi.DeleteVolumeGroupSnapshotRequest) (*csi.DeleteVolumeGroupSnapshotResponse, error) {
	if err := required(field{"group_snapshot_id", req.GetGroupSnapshotId()}); err != nil {
		return nil, err
	}
	err := g.busy.do("id/"+req.GetGroupSnapshotId(), func() error {
		return g.groups.DeleteGroup(ctx, req.GetGroupSnapshotId(), req.GetSnapshotIds())
	})
	if err != nil {
		return nil, notGone(err)
	}
	return &csi.DeleteVolumeGroupSnapshotResponse{}, nil
}

// GetVolumeGroupSnapshot tells of a group (CSI spec, GetVolumeGroupSnapshot).
func (g *GroupController) GetVolumeGroupSnapshot(ctx context.Context, req *csi.GetVolumeGroupSnapshotRequest) (*csi.GetVolumeGroupSnapshotResponse, error) {
	if err := required(field{"group_snapshot_id", req.GetGroupSnapshotId()}); err != nil {
		return nil, err
	}
	found, err := g.groups.GetGroup(ctx, req.GetGroupSnapshotId(), req.GetSnapshotIds())
	if err != nil {
		return nil, err
	}
	return &csi.GetVolumeGroupSnapshotResponse{GroupSnapshot: encodeGroup(found)}, nil
}

func encodeGroup(g *san.SnapshotGroup) *csi.VolumeGroupSnapshot {
	encoded := &csi.VolumeGroupSnapshot{GroupSnapshotId: g.Handle.String(), CreationTime: timestamppb.New(g.Created), ReadyToUse: true}
	for _, m := range g.Members {
		encoded.Snapshots = append(encoded.Snapshots, encodeSnapshot(&m))
		encoded.ReadyToUse = encoded.ReadyToUse && m.Ready
	}
	return encoded
}
