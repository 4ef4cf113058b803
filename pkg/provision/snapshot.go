package provision

import (
	"context"
	"errors"
	"fmt"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/san"
)

// CreateSnapshot keeps the volume's content, or finds what an earlier call kept.
// A VolumeSnapshotClass has no parameters of ours.
func (f *Flows) CreateSnapshot(ctx context.Context, name, volumeID string, params map[string]string) (*san.Snapshot, error) {
	if err := refuseUnknown(params, nil); err != nil {
		return nil, err
	}
	m, h, err := f.member(ctx, volumeID)
	if err != nil {
		return nil, err
	}
	return m.Array.CreateSnapshot(ctx, san.SnapshotRequest{Name: name, Source: h})
}

// GetSnapshot is the snapshot of that id.
func (f *Flows) GetSnapshot(ctx context.Context, id string) (*san.Snapshot, error) {
	m, h, err := f.snapshotMember(ctx, id)
	if err != nil {
		return nil, err
	}
	return m.Array.GetSnapshot(ctx, h)
}

// DeleteSnapshot removes the snapshot; one that is not there is success.
func (f *Flows) DeleteSnapshot(ctx context.Context, id string) error {
	m, h, err := f.snapshotMember(ctx, id)
	if err != nil {
		return gone(err)
	}
	return m.Array.DeleteSnapshot(ctx, h)
}

// SnapshotFilter says which snapshots are listed: "" = all.
type SnapshotFilter struct {
	SnapshotID, VolumeID string
}

// ListSnapshots is at most limit snapshots (0 = as many as there are) from the
// place that token names, array after array, and the place to go on from. Of an
// id that names nothing of ours there are none. All of them are listed only while
// every array answers, since what is left out is taken for gone; those of one id
// need its array alone.
func (f *Flows) ListSnapshots(ctx context.Context, filter SnapshotFilter, token string, limit int) ([]san.Snapshot, string, error) {
	if filter.SnapshotID != "" {
		snap, err := f.GetSnapshot(ctx, filter.SnapshotID)
		if err != nil {
			return nil, "", nothing(err)
		}
		if filter.VolumeID != "" && snap.Source.String() != filter.VolumeID {
			return nil, "", nil
		}
		return []san.Snapshot{*snap}, "", nil
	}
	members, query := f.fleet.Members(), san.SnapshotQuery{}
	if filter.VolumeID != "" {
		m, h, err := f.member(ctx, filter.VolumeID)
		if err != nil {
			return nil, "", nothing(err)
		}
		members, query.Source = []placement.Member{m}, h
	}
	return pages(members, token, limit, func(m placement.Member, start string, limit int) ([]san.Snapshot, string, error) {
		query.Start, query.Limit = start, limit
		return m.Array.ListSnapshots(ctx, query)
	})
}

// nothing is success where an id names nothing, or nothing of ours.
func nothing(err error) error {
	if errors.Is(err, san.ErrNotFound) || errors.Is(err, san.ErrBusy) {
		return nil
	}
	return err
}

// snapshotMember is the array and the handle that a snapshot's id names.
func (f *Flows) snapshotMember(ctx context.Context, id string) (placement.Member, san.SnapshotHandle, error) {
	h, err := san.ParseSnapshotHandle(id)
	if err != nil {
		return placement.Member{}, h, err
	}
	m, err := f.fleet.ByID(ctx, h.Array)
	if err != nil {
		return m, h, fmt.Errorf("snapshot %s: %w", id, err)
	}
	return m, h, nil
}
