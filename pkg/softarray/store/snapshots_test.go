package store_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

func snapshotIDs(t *testing.T, s *store.Store, volume int64) []int64 {
	t.Helper()
	var ids []int64
	err := s.View(func(tx *store.Tx) error {
		found, err := tx.SnapshotsOf(volume)
		for _, s := range found {
			ids = append(ids, s.ID)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestSnapshotRecords(t *testing.T) {
	s := open(t, t.TempDir())
	update(t, s, func(tx *store.Tx) error {
		for _, name := range []string{"a", "b"} {
			if _, err := add(tx, name, 1<<20); err != nil {
				return err
			}
		}
		for _, volume := range []int64{1, 2, 1} {
			got, err := tx.AddSnapshot(store.Snapshot{VolumeID: volume, Name: "s", Size: 7})
			if err != nil || got.Size != 1<<20 {
				t.Errorf("snapshot of volume %d: %+v, %v", volume, got, err)
			}
		}
		return nil
	})
	if got := snapshotIDs(t, s, 1); !slices.Equal(got, []int64{1, 3}) {
		t.Errorf("snapshots of volume 1: %v", got)
	}
	update(t, s, func(tx *store.Tx) error { return tx.RemoveSnapshot(3) })
	update(t, s, func(tx *store.Tx) error {
		got, err := tx.CopySnapshot(1, store.Snapshot{VolumeID: 2, Name: "copy"})
		if got.ID != 4 || got.VolumeID != 1 {
			t.Errorf("copy of snapshot 1: %+v", got)
		}
		return err
	})
	err := s.Update(func(tx *store.Tx) error {
		_, err := tx.AddSnapshot(store.Snapshot{VolumeID: 3})
		return err
	})
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("snapshot of a volume that is not there: %v", err)
	}
	// A purge takes the snapshots along, those of other volumes stay.
	update(t, s, func(tx *store.Tx) error { return tx.RemoveVolume(1) })
	if got := snapshotIDs(t, s, 1); len(got) > 0 {
		t.Errorf("snapshots of the purged volume: %v", got)
	}
	if got := snapshotIDs(t, s, 2); !slices.Equal(got, []int64{2}) {
		t.Errorf("snapshots of volume 2: %v", got)
	}
}

func TestGroupSnapshots(t *testing.T) {
	for name, c := range map[string]struct {
		do     func(*store.Tx) error
		group  bool    // is left
		left   []int64 // snapshots of volume 1
		member int64   // the group of those
	}{
		"kept":                {func(*store.Tx) error { return nil }, true, []int64{1}, 1},
		"removed":             {func(tx *store.Tx) error { return tx.RemoveGroupSnapshot(1, false) }, false, nil, 0},
		"removed but members": {func(tx *store.Tx) error { return tx.RemoveGroupSnapshot(1, true) }, false, []int64{1}, 0},
		"one member removed":  {func(tx *store.Tx) error { return tx.RemoveSnapshot(2) }, true, []int64{1}, 1},
		"one volume purged":   {func(tx *store.Tx) error { return tx.RemoveVolume(1) }, true, nil, 0},
		"all members removed": {func(tx *store.Tx) error { return errors.Join(tx.RemoveSnapshot(1), tx.RemoveSnapshot(2)) }, false, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			update(t, s, func(tx *store.Tx) error {
				for range 2 {
					if _, err := add(tx, "v", 1<<20); err != nil {
						return err
					}
				}
				g, members, err := tx.AddGroupSnapshot(store.GroupSnapshot{Name: "g", UUID: "u"}, []store.Snapshot{{VolumeID: 1}, {VolumeID: 2}})
				if !slices.Equal(g.Members, []int64{1, 2}) || len(members) != 2 || members[1].GroupUUID != "u" {
					t.Errorf("group %+v of %+v", g, members)
				}
				return err
			})
			update(t, s, c.do)
			err := s.View(func(tx *store.Tx) error {
				_, err := tx.GroupSnapshots().Get(1)
				if (err == nil) != c.group {
					t.Errorf("group: %v", err)
				}
				for _, id := range c.left {
					if one, err := tx.Snapshots().Get(id); err != nil || one.GroupID != c.member {
						t.Errorf("snapshot %+v, %v", one, err)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := snapshotIDs(t, s, 1); !slices.Equal(got, c.left) {
				t.Errorf("snapshots of volume 1: %v, want %v", got, c.left)
			}
		})
	}
}
