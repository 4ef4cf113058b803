package driver

import (
	"context"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/san-csi/san-csi/pkg/provision"
	"github.com/san-csi/san-csi/pkg/san"
)

// Snapshots are the flows that keep the content of volumes.
type Snapshots interface {
	CreateSnapshot(ctx context.Context, name, volumeID string, params map[string]string) (*san.Snapshot, error)
	DeleteSnapshot(ctx context.Context, id string) error
	GetSnapshot(ctx context.Context, id string) (*san.Snapshot, error)
	ListSnapshots(ctx context.Context, filter provision.SnapshotFilter, token string, limit int) ([]san.Snapshot, string, error)
}

// CreateSnapshot keeps the LUN's content (CSI spec, CreateSnapshot).
func (c *Controller) CreateSnapshot(ctx context.Context, req *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	if err := required(field{"name", req.GetName()}, field{"source_volume_id", req.GetSourceVolumeId()}); err != nil {
		return nil, err
	}
	if err := checkName(req.GetName()); err != nil {
		return nil, err
	}
	var s *san.Snapshot
	err := c.busy.do("snapshot/"+req.GetName(), func() (err error) {
		s, err = c.snapshots.CreateSnapshot(ctx, req.GetName(), req.GetSourceVolumeId(), req.GetParameters())
		return err
	})
	if err != nil {
		return nil, err
	}
	return &csi.CreateSnapshotResponse{Snapshot: encodeSnapshot(s)}, nil
}

// DeleteSnapshot removes a snapshot; volumes made of it stay (CSI spec,
// DeleteSnapshot).
func (c *Controller) DeleteSnapshot(ctx context.Context, req *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	if err := required(field{"snapshot_id", req.GetSnapshotId()}); err != nil {
		return nil, err
	}
	err := c.busy.do("snapshot id/"+req.GetSnapshotId(), func() error { return c.snapshots.DeleteSnapshot(ctx, req.GetSnapshotId()) })
	if err != nil {
		return nil, notGone(err)
	}
	return &csi.DeleteSnapshotResponse{}, nil
}

// GetSnapshot tells of one snapshot what ListSnapshots tells of all (CSI spec,
// GetSnapshot).
func (c *Controller) GetSnapshot(ctx context.Context, req *csi.GetSnapshotRequest) (*csi.GetSnapshotResponse, error) {
	if err := required(field{"snapshot_id", req.GetSnapshotId()}); err != nil {
		return nil, err
	}
	s, err := c.snapshots.GetSnapshot(ctx, req.GetSnapshotId())
	if err != nil {
		return nil, err
	}
	return &csi.GetSnapshotResponse{Snapshot: encodeSnapshot(s)}, nil
}

// ListSnapshots lists this cluster's snapshots (CSI spec, ListSnapshots).
func (c *Controller) ListSnapshots(ctx context.Context, req *csi.ListSnapshotsRequest) (*csi.ListSnapshotsResponse, error) {
	if req.GetMaxEntries() < 0 {
		return nil, status.Errorf(codes.InvalidArgument, "max_entries %d: must not be negative", req.GetMaxEntries())
	}
	filter := provision.SnapshotFilter{SnapshotID: req.GetSnapshotId(), VolumeID: req.GetSourceVolumeId()}
	snapshots, next, err := c.snapshots.ListSnapshots(ctx, filter, req.GetStartingToken(), int(req.GetMaxEntries()))
	if err != nil {
		return nil, err
	}
	resp := &csi.ListSnapshotsResponse{NextToken: next}
	for _, s := range snapshots {
		resp.Entries = append(resp.Entries, &csi.ListSnapshotsResponse_Entry{Snapshot: encodeSnapshot(&s)})
	}
	return resp, nil
}

func encodeSnapshot(s *san.Snapshot) *csi.Snapshot {
	encoded := &csi.Snapshot{
		SnapshotId: s.Handle.String(), SourceVolumeId: s.Source.String(), SizeBytes: s.SizeBytes,
		CreationTime: timestamppb.New(s.Created), ReadyToUse: s.Ready,
	}
	if s.Group != (san.GroupHandle{}) {
		encoded.GroupSnapshotId = s.Group.String()
	}
	return encoded
}
