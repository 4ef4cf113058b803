package element

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// Delete removes a volume: one look at it, one at its snapshots, the deletion
// and the purge. What is wanted of several volumes at once shares the calls.
// Pending duplicates of its name are left to Sweep.
func (a *Array) Delete(ctx context.Context, h san.Handle) (purged bool, err error) {
	purged, err = a.delete(ctx, h)
	if errors.Is(err, san.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fail("delete volume", h, err)
	}
	return purged, nil
}

func (a *Array) delete(ctx context.Context, h san.Handle) (purged bool, err error) {
	unlock, err := a.volumes.lock(ctx, h.Volume)
	if err != nil {
		return false, err
	}
	defer unlock()
	// A deleted volume is found as well: a call that was cut off between the
	// deletion and the purge is finished.
	v, err := a.find(ctx, h)
	if err != nil {
		return false, err
	}
	r, err := a.read(v)
	if err != nil {
		return false, err
	}
	if v.Status == api.StatusDeleted {
		if r.stays() || h.UUID == "" {
			return false, nil // to be kept, or not proven ours: left to the array's own purge
		}
		return true, a.remove(ctx, v, false)
	}
	if len(r.grants) > 0 {
		return false, fmt.Errorf("it is granted to %v: %w", r.nodes(), san.ErrBusy)
	}
	if err := a.checkSnapshots(ctx, v); err != nil {
		return false, err
	}
	if v, r, err = a.dropStrays(ctx, v, r); err != nil {
		return false, err
	}
	return !r.stays(), a.remove(ctx, v, r.stays())
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
		if _, err := a.deletions.do(ctx, none{}, v.VolumeID); err != nil && !gone(err) && !a.isDeleted(ctx, v, err) {
			return err
		}
	}
	if keep {
		return nil
	}
	if _, err := a.purges.do(ctx, none{}, v.VolumeID); err != nil && !gone(err) {
		return err
	}
	return nil
}

// deleteAll and purgeAll are the calls for one volume and for several.
func (a *Array) deleteAll(ctx context.Context, _ none, volumes []int64) []answer[none] {
	return apart(volumes, func(volumes []int64) error {
		if len(volumes) == 1 {
			return a.client.DeleteVolume(ctx, volumes[0])
		}
		return a.client.DeleteVolumes(ctx, volumes)
	})
}

func (a *Array) purgeAll(ctx context.Context, _ none, volumes []int64) []answer[none] {
	return apart(volumes, func(volumes []int64) error {
		if len(volumes) == 1 {
			return a.client.PurgeDeletedVolume(ctx, volumes[0])
		}
		return a.client.PurgeDeletedVolumes(ctx, volumes)
	})
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

// purgePending purges the pending volumes of a name. Its caller holds the name's
// lock.
func (a *Array) purgePending(ctx context.Context, key nameKey) error {
	volumes, err := a.client.ListVolumes(ctx, api.ListVolumesRequest{
		Accounts: []int64{key.account}, VolumeName: key.name, VolumeStatus: api.StatusActive})
	if err != nil {
		return err
	}
	return a.discard(ctx, a.pendingOf(volumes, key))
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
