package element

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/klog/v2"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// errRestored: the deletion's answer showed what must not be deleted.
var errRestored = errors.New("it is restored")

// atHand is how long ago this process must have read or changed a volume to
// delete it without another look. The deletion's answer is the look then; until
// it comes, whoever was let in by hand meanwhile has lost his sessions. So it is
// short: a pod goes, and its volume with it.
const atHand = 10 * time.Second

// Delete removes a volume: the deletion and the purge; before them a look at the
// volume, where it is not at hand, and at its snapshots, where it may have some.
// What is wanted of several volumes at once shares the calls. Pending duplicates
// of its name are left to Sweep.
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
	if v, r, known := a.recall(ctx, h, atHand); known && a.isPlain(v, r) && len(r.grants) == 0 {
		if purged, err = a.deletePlain(ctx, v, r); !errors.Is(err, errRestored) {
			return purged, err
		}
	}
	// A deleted volume is found as well: a call that was cut off between the deletion
	// and the purge is finished.
	v, err := a.find(ctx, h)
	if err != nil {
		return false, err
	}
	r, err := a.read(v)
	if err != nil {
		return false, err
	}
	if v.Status == api.StatusDeleted {
		return a.empty(ctx, h, v, r)
	}
	if v, r, err = a.mend(ctx, v, r); err != nil {
		return false, err
	}
	if v, r, err = a.dropVoid(ctx, v, r); err != nil {
		return false, err
	}
	if len(r.grants) > 0 {
		return false, fmt.Errorf("it is granted to %v: %w", r.nodes(), san.ErrBusy)
	}
	return a.deletePlain(ctx, v, r)
}

// empty purges a volume that is in the recycle bin already, unless it is to be
// kept, or not proven ours: then it is left to the array's own purge.
func (a *Array) empty(ctx context.Context, h san.Handle, v api.Volume, r record) (purged bool, err error) {
	if r.stays() || h.UUID == "" {
		return false, nil
	}
	if err := a.checkSnapshots(ctx, v); err != nil {
		return false, err
	}
	if err := a.checkBinned(ctx, v); err != nil {
		return false, err
	}
	return true, a.purge(ctx, v)
}

// deletePlain deletes an active volume that nobody is granted, and purges it;
// errRestored where the deletion's answer shows that it was changed meanwhile.
func (a *Array) deletePlain(ctx context.Context, v api.Volume, r record) (purged bool, err error) {
	if err := a.checkSnapshots(ctx, v); err != nil {
		return false, err
	}
	if v, r, err = a.dropStrays(ctx, v, r); err != nil {
		return false, err
	}
	now, err := a.bin(ctx, v)
	if err == nil {
		err = a.spare(ctx, v, now)
	}
	if err != nil || r.stays() {
		return false, err
	}
	return true, a.purge(ctx, v)
}

// spare restores a volume, just deleted, that the answer shows to be another than
// it was taken for, or somebody else's to use.
func (a *Array) spare(ctx context.Context, was, now api.Volume) error {
	r, err := a.read(now)
	switch {
	case err != nil:
	case now.VolumeUUID != was.VolumeUUID:
		err = fmt.Errorf("volume %d is another one now, its UUID is %s: %w", now.VolumeID, now.VolumeUUID, san.ErrBusy)
	case len(r.grants) > 0:
		err = fmt.Errorf("it is granted to %v: %w", r.nodes(), san.ErrBusy)
	case len(now.VolumeAccessGroups) > 0:
		err = fmt.Errorf("it has come into access groups %v meanwhile: take it out there: %w", now.VolumeAccessGroups, san.ErrBusy)
	default:
		return nil
	}
	klog.FromContext(ctx).Info("Volume is restored, just deleted", "volumeID", now.VolumeID, "reason", err)
	return errors.Join(err, errRestored, a.client.RestoreDeletedVolume(ctx, now.VolumeID))
}

// checkBinned is ErrBusy where a volume in the recycle bin is in a group that is
// not this cluster's: somebody else may want it back.
func (a *Array) checkBinned(ctx context.Context, v api.Volume) error {
	groups, err := a.groupsByID(ctx, v.VolumeAccessGroups)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if g.cluster != a.config.Cluster {
			return fmt.Errorf("volume %d is in the recycle bin and in access group %d (%s), which is not this cluster's: restore or purge it there: %w",
				v.VolumeID, g.ID, g.Name, san.ErrBusy)
		}
	}
	return nil
}

// checkSnapshots is ErrBusy where a volume has snapshots, whoever made them: they
// would go with it; ErrNotFound where the volume has gone meanwhile. Those that nobody was handed do not count. What is in the
// recycle bin is always looked at.
func (a *Array) checkSnapshots(ctx context.Context, v api.Volume) error {
	if v.Status == api.StatusActive && !a.snapshotted.may(v.VolumeID, a.clock.Now()) {
		return nil
	}
	snapshots, err := a.listSnapshots(ctx, v.VolumeID)
	if gone(err) { // by a deletion of a process that died, which had not got there yet
		return fmt.Errorf("volume %d is gone: %w", v.VolumeID, san.ErrNotFound)
	}
	if err != nil || len(snapshots) == 0 {
		return err
	}
	groups, err := a.groupMarks(ctx, snapshots)
	if gone(err) {
		return fmt.Errorf("a group of its snapshots has gone meanwhile: %w", san.ErrUnavailable)
	}
	if err != nil {
		return err
	}
	var first *api.Snapshot
	count := 0
	for _, s := range snapshots {
		if !a.neverHanded(s, groups) {
			first, count = cmp.Or(first, &s), count+1
		}
	}
	if count == 0 {
		return nil
	}
	return fmt.Errorf("it has %d snapshots, the first is %d (%s): delete them before it: %w", count, first.SnapshotID, first.Name, san.ErrBusy)
}

// neverHanded reports whether a call that was cut off left the snapshot, or the
// group that it is of: a member bears no mark of its own.
func (a *Array) neverHanded(s api.Snapshot, groups map[int64]mark) bool {
	m, err := readMark("snapshot", s.SnapshotID, s.Name, s.Attributes)
	doomed := a.doomedSnapshots.has(s.SnapshotID, a.clock.Now(), lateness)
	if g, ok := groups[s.GroupID]; ok {
		m, err = g, nil
		doomed = a.doomedSnapshotGroups.has(s.GroupID, a.clock.Now(), lateness)
	}
	return err == nil && (m.pending || doomed) && m.cluster == a.config.Cluster
}

// remove deletes a volume that was never handed out, and purges it.
func (a *Array) remove(ctx context.Context, v api.Volume) error {
	if v.Status != api.StatusDeleted {
		if _, err := a.bin(ctx, v); err != nil && !errors.Is(err, san.ErrNotFound) {
			return err
		}
	}
	return a.purge(ctx, v)
}

// bin deletes an active volume, and returns it as it is in the recycle bin.
func (a *Array) bin(ctx context.Context, v api.Volume) (api.Volume, error) {
	a.recent.drop(v.VolumeID)
	now, err := a.deletions.do(ctx, none{}, v.VolumeID)
	var refusal *api.Error
	switch {
	case err == nil && now.VolumeID == v.VolumeID:
		return now, nil
	case err != nil && !errors.As(err, &refusal):
		return v, err
	}
	// Nothing was told of it, or it is deleted already, by a call whose answer was
	// lost: the name of that refusal is not documented.
	found, lookErr := a.looks.do(ctx, none{}, v.VolumeID)
	switch {
	case lookErr != nil && !gone(lookErr):
		return v, fmt.Errorf("look what became of its deletion, which ended with %q: %w", fmt.Sprint(err), lookErr)
	case found == nil || found.VolumeUUID != v.VolumeUUID:
		return v, fmt.Errorf("volume %d is gone: %w", v.VolumeID, san.ErrNotFound)
	case found.Status != api.StatusDeleted:
		return v, cmp.Or(err, fmt.Errorf("the array has not deleted it: %w", san.ErrUnavailable))
	}
	return *found, nil
}

// purge removes a volume from the recycle bin.
func (a *Array) purge(ctx context.Context, v api.Volume) error {
	if _, err := a.purges.do(ctx, none{}, v.VolumeID); err != nil && !gone(err) {
		return err
	}
	a.latest.drop(v.VolumeID)
	return nil
}

// deleteAll and purgeAll are the calls for one volume and for several.
func (a *Array) deleteAll(ctx context.Context, _ none, volumes []int64) []answer[api.Volume] {
	deleted := map[int64]api.Volume{}
	done := apart(volumes, func(volumes []int64) error {
		binned, err := a.deleteThese(ctx, volumes)
		for _, v := range binned {
			deleted[v.VolumeID] = v
		}
		return err
	})
	answers := make([]answer[api.Volume], len(volumes))
	for i, id := range volumes {
		answers[i] = answer[api.Volume]{deleted[id], done[i].err}
	}
	return answers
}

func (a *Array) deleteThese(ctx context.Context, volumes []int64) ([]api.Volume, error) {
	if len(volumes) > 1 {
		return a.client.DeleteVolumes(ctx, volumes)
	}
	v, err := a.client.DeleteVolume(ctx, volumes[0])
	return []api.Volume{v}, err
}

func (a *Array) purgeAll(ctx context.Context, _ none, volumes []int64) []answer[none] {
	return apart(volumes, func(volumes []int64) error {
		if len(volumes) == 1 {
			return a.client.PurgeDeletedVolume(ctx, volumes[0])
		}
		return a.client.PurgeDeletedVolumes(ctx, volumes)
	})
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

// pendingOf picks what was never handed out of a name, but for clones that their
// caller may yet go on with.
func (a *Array) pendingOf(volumes []api.Volume, key nameKey) []candidate {
	var pending []candidate
	for _, v := range volumes {
		r, err := readRecord(v)
		if err == nil && v.Name == key.name && v.AccountID == key.account && v.Status == api.StatusActive &&
			r.owner.Cluster == a.config.Cluster && a.neverHandedOut(v, r) && !a.followed(v) {
			pending = append(pending, candidate{v, r})
		}
	}
	return pending
}
