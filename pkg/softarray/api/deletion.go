package api

import (
	"context"
	"slices"
	"time"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// recycleTime is how long a deleted volume can be restored.
const recycleTime = 8 * time.Hour

func deletionMethods() map[string]method {
	return map[string]method{
		"DeleteVolume":         change(deleteVolume, "volumeID"),
		"DeleteVolumes":        change(deleteVolumes),
		"RestoreDeletedVolume": change(restoreVolume, "volumeID"),
		"PurgeDeletedVolume":   change(purgeVolume, "volumeID"),
		"PurgeDeletedVolumes":  change(purgeVolumes),
	}
}

type oneVolume struct {
	VolumeID integer `json:"volumeID"`
}

func deleteVolume(c *call, p oneVolume) (any, error) {
	v, err := c.delete(int64(p.VolumeID))
	if err != nil {
		return nil, err
	}
	w, err := c.toWireVolume(v)
	return result{"volume": w, "volumeID": v.ID}, err
}

// delete moves a volume to the recycle bin. Its memberships stay, for a restore.
func (c *call) delete(id int64) (store.Volume, error) {
	v, err := c.tx.Volumes().Get(id)
	if err := missing(err, volumeDoesNotExist, "Volume %d does not exist.", id); err != nil {
		return v, err
	}
	if !v.Active() && c.config.Dialect.RepeatableDelete {
		return v, nil
	}
	if !v.Active() {
		return v, failf(volumeDoesNotExist, "Volume %d does not exist. It is already deleted.", id)
	}
	v.Deleted, v.Purge = c.now, c.now.Add(recycleTime)
	c.dropSessions(id)
	return v, c.tx.PutVolume(v)
}

// volumeSet names volumes in one of three ways.
type volumeSet struct {
	VolumeIDs  integers `json:"volumeIDs"`
	AccountIDs integers `json:"accountIDs"`
	GroupIDs   integers `json:"volumeAccessGroupIDs"`
}

// resolve lists the ids of a set. Accounts and groups stand for those of their
// volumes that are wanted; volumes named by id are taken as they are.
func (c *call) resolve(set volumeSet, wanted func(store.Volume) bool) ([]int64, error) {
	given := 0
	for _, l := range []integers{set.VolumeIDs, set.AccountIDs, set.GroupIDs} {
		if len(l.Values) > 0 {
			given++
		}
	}
	if given != 1 {
		return nil, failf(invalidParameter, "exactly one of volumeIDs, accountIDs and volumeAccessGroupIDs must be given")
	}
	ids := slices.Clone(set.VolumeIDs.Values)
	for _, id := range set.AccountIDs.Values {
		a, err := c.account(id)
		if err != nil {
			return nil, err
		}
		if ids, err = c.appendWanted(ids, c.tx.VolumesOf(a.ID), wanted); err != nil {
			return nil, err
		}
	}
	for _, id := range set.GroupIDs.Values {
		g, err := c.group(id)
		if err != nil {
			return nil, err
		}
		if ids, err = c.appendWanted(ids, g.Volumes, wanted); err != nil {
			return nil, err
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	return ids, within("number of volumes", int64(len(ids)), 0, volumesPerCallMax)
}

func (c *call) appendWanted(to, ids []int64, wanted func(store.Volume) bool) ([]int64, error) {
	for _, id := range ids {
		v, err := c.volume(id)
		if err != nil {
			return nil, err
		}
		if wanted(v) {
			to = append(to, id)
		}
	}
	return to, nil
}

func deleteVolumes(c *call, p volumeSet) (any, error) {
	ids, err := c.resolve(p, store.Volume.Active)
	if err != nil {
		return nil, err
	}
	var deleted []store.Volume
	for _, id := range ids {
		v, err := c.delete(id)
		if err != nil {
			return nil, err
		}
		deleted = append(deleted, v)
	}
	w, err := c.toWireVolumes(deleted)
	return result{"volumes": w}, err
}

func restoreVolume(c *call, p oneVolume) (any, error) {
	v, err := c.deletedVolume(int64(p.VolumeID))
	if err != nil {
		return nil, err
	}
	v.Deleted, v.Purge = time.Time{}, time.Time{}
	return result{}, c.tx.PutVolume(v)
}

// deletedVolume is a volume in the recycle bin.
func (c *call) deletedVolume(id int64) (store.Volume, error) {
	v, err := c.volume(id)
	if err == nil && v.Active() {
		return v, failf(invalidParameter, "VolumeID %d is not deleted.", id)
	}
	return v, err
}

func purgeVolume(c *call, p oneVolume) (any, error) { return result{}, c.purge(int64(p.VolumeID)) }

func (c *call) purge(id int64) error {
	if _, err := c.deletedVolume(id); err != nil {
		return err
	}
	c.after(func(d Data) { d.Release(id) })
	return c.tx.RemoveVolume(id)
}

func purgeVolumes(c *call, p volumeSet) (any, error) {
	ids, err := c.resolve(p, func(v store.Volume) bool { return !v.Active() })
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if err := c.purge(id); err != nil {
			return nil, err
		}
	}
	return result{}, nil
}

// PurgeDue removes the deleted volumes whose time in the recycle bin is over.
func (s *Server) PurgeDue(ctx context.Context) error {
	var purged []int64
	now := s.config.Clock.Now()
	err := s.config.Store.Update(func(tx *store.Tx) error {
		purged = nil
		for id := range tx.DeletedVolumes() {
			v, err := tx.Volumes().Get(id)
			if err != nil {
				return err
			}
			if v.Purge.After(now) {
				continue
			}
			if err := tx.RemoveVolume(id); err != nil {
				return err
			}
			purged = append(purged, id)
		}
		return nil
	})
	if err != nil || len(purged) == 0 {
		return err
	}
	s.config.Data.Release(purged...)
	klog.FromContext(ctx).Info("Purged deleted volumes", "volumeIDs", purged)
	return nil
}
