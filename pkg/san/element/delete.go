package element

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// Delete removes a volume, and what pending duplicates of its name there are.
func (a *Array) Delete(ctx context.Context, h san.Handle, keep bool) error {
	v, r, err := a.delete(ctx, h, keep)
	if errors.Is(err, san.ErrNotFound) {
		return nil
	}
	if err == nil && r.owner.Cluster != "" {
		err = a.deleteDuplicates(ctx, nameKey{v.AccountID, v.Name})
	}
	if err != nil {
		return fail("delete volume", h, err)
	}
	return nil
}

func (a *Array) delete(ctx context.Context, h san.Handle, keep bool) (v api.Volume, r record, err error) {
	unlock, err := a.volumes.lock(ctx, h.Volume)
	if err != nil {
		return v, r, err
	}
	defer unlock()
	// A deleted volume is found as well: a call that was cut off between the
	// deletion and the purge is finished.
	if v, err = a.find(ctx, h); err != nil {
		return v, r, err
	}
	if r, err = a.read(v); err != nil {
		return v, r, err
	}
	if v.Status == api.StatusDeleted {
		if keep || r.state == stateKept || h.UUID == "" || r.owner.Cluster == "" {
			return v, r, nil // to be kept, or not proven ours: left to the array's own purge
		}
		return v, r, a.remove(ctx, v, keep)
	}
	if len(r.grants) > 0 {
		return v, r, fmt.Errorf("it is granted to %v: %w", r.nodes(), san.ErrBusy)
	}
	if err := a.checkSnapshots(ctx, v); err != nil {
		return v, r, err
	}
	if v, r, err = a.dropStrays(ctx, v, r); err != nil {
		return v, r, err
	}
	if keep && r.owner.Cluster != "" {
		// A repeated call does not find the volume, and knows of no wish to keep it.
		r.state = stateKept
		if v, err = a.write(ctx, v, r); err != nil {
			return v, r, err
		}
	}
	return v, r, a.remove(ctx, v, keep)
}

// checkSnapshots is ErrBusy where a volume has snapshots, whoever made them: they
// would go with it. Those that nobody was handed do not count.
func (a *Array) checkSnapshots(ctx context.Context, v api.Volume) error {
	snapshots, err := a.client.ListSnapshots(ctx, api.ListSnapshotsRequest{VolumeID: v.VolumeID})
	if err != nil || len(snapshots) == 0 {
		return err
	}
	var first *api.Snapshot
	count := 0
	for _, s := range snapshots {
		if m, err := readMark("snapshot", s.SnapshotID, s.Name, s.Attributes); err != nil || !m.pending || m.cluster != a.config.Cluster {
			first, count = cmp.Or(first, &s), count+1
		}
	}
	if count == 0 {
		return nil
	}
	return fmt.Errorf("it has %d snapshots, the first is %d (%s): delete them before it: %w", count, first.SnapshotID, first.Name, san.ErrBusy)
}

// remove deletes an active volume, and purges it unless keep.
func (a *Array) remove(ctx context.Context, v api.Volume, keep bool) error {
	a.recent.drop(v.VolumeID)
	if v.Status != api.StatusDeleted {
		if err := a.client.DeleteVolume(ctx, v.VolumeID); err != nil && !gone(err) && !a.isDeleted(ctx, v, err) {
			return err
		}
	}
	if keep {
		return nil
	}
	if err := a.client.PurgeDeletedVolume(ctx, v.VolumeID); err != nil && !gone(err) {
		return err
	}
	return nil
}

// isDeleted tells whether a refused deletion was carried out before, by a call
// whose answer was lost: the name of that refusal is not documented.
func (a *Array) isDeleted(ctx context.Context, v api.Volume, refusal error) bool {
	var e *api.Error
	if !errors.As(refusal, &e) {
		return false
	}
	volumes, err := a.client.ListVolumes(ctx, api.ListVolumesRequest{VolumeIDs: []int64{v.VolumeID}})
	if err != nil {
		return gone(err)
	}
	for _, now := range volumes {
		if now.VolumeID == v.VolumeID && now.VolumeUUID == v.VolumeUUID {
			return now.Status == api.StatusDeleted
		}
	}
	return true
}

// deleteDuplicates purges what creates that were cut off left under a name.
func (a *Array) deleteDuplicates(ctx context.Context, key nameKey) error {
	unlock, err := a.names.lock(ctx, key)
	if err != nil {
		return err
	}
	defer unlock()
	return a.purgePending(ctx, key)
}

// purgePending purges the pending volumes of a name. Its caller holds the name's
// lock.
func (a *Array) purgePending(ctx context.Context, key nameKey) error {
	volumes, err := a.client.ListVolumes(ctx, api.ListVolumesRequest{
		Accounts: []int64{key.account}, VolumeName: key.name, VolumeStatus: api.StatusActive})
	if err != nil {
		return err
	}
	a.discard(ctx, a.pendingOf(volumes, key))
	return nil
}

// pendingOf picks this cluster's pending volumes of a name.
func (a *Array) pendingOf(volumes []api.Volume, key nameKey) []candidate {
	var pending []candidate
	for _, v := range volumes {
		r, err := readRecord(v)
		if err == nil && v.Name == key.name && v.AccountID == key.account && v.Status == api.StatusActive &&
			r.pending() && r.owner.Cluster == a.config.Cluster {
			pending = append(pending, candidate{v, r})
		}
	}
	return pending
}
