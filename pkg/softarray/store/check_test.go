package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// damaged makes a directory with a volume, its snapshot and a clone, and does
// something to it.
func damaged(t *testing.T, damage func(dir string, tx *Tx) error) string {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(dir, modelTime)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(func(tx *Tx) error {
		v, err := addModelVolume(tx, 1<<20)
		if err != nil {
			return err
		}
		snap, err := tx.AddSnapshot(Snapshot{VolumeID: v.ID})
		if err != nil {
			return err
		}
		_, err = tx.AddClone(v, v.ID, snap.ID)
		return err
	})
	if err == nil {
		err = s.Update(func(tx *Tx) error { return damage(dir, tx) })
	}
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCheckTellsOfDamage(t *testing.T) {
	layers := func(dir, name string) string { return filepath.Join(dir, layersDir, name) }
	for name, c := range map[string]struct {
		damage func(dir string, tx *Tx) error
		want   string
	}{
		"orphan file":      {func(dir string, _ *Tx) error { return os.WriteFile(layers(dir, "99"), nil, 0o600) }, "file 99 is of no layer"},
		"orphan map":       {func(dir string, _ *Tx) error { return os.WriteFile(layers(dir, "1.map"), nil, 0o600) }, "file 1.map is of no layer"},
		"missing file":     {func(dir string, _ *Tx) error { return os.Remove(layers(dir, "1")) }, "layer 1: "},
		"missing map":      {func(dir string, _ *Tx) error { return os.Remove(layers(dir, "2.map")) }, "layer 2: "},
		"short file":       {func(dir string, _ *Tx) error { return os.Truncate(layers(dir, "2"), 5) }, "its file 2 has 5"},
		"map without head": {func(dir string, _ *Tx) error { return os.Truncate(layers(dir, "2.map"), 0) }, "no header"},
		"map beyond size": {func(dir string, _ *Tx) error {
			f, err := os.OpenFile(layers(dir, "2.map"), os.O_RDWR, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt([]byte{1}, durableAt(0)+32)
			return errors.Join(err, f.Close())
		}, "block 256 is present, of 256"},
		"use not counted":   {func(_ string, tx *Tx) error { return tx.deleteRef(1, layerRef{refSnapshot, 1}) }, "use by s 1 is not counted"},
		"use of nothing":    {func(_ string, tx *Tx) error { return tx.addRef(1, layerRef{refSnapshot, 9}) }, "layer-refs: entry"},
		"leaked layer":      {func(_ string, tx *Tx) error { return tx.layers().put(9, layerInfo{ID: 9, File: 9, Size: 4096}) }, "layer 9 leaks"},
		"two of one file":   {func(_ string, tx *Tx) error { return tx.layers().put(9, layerInfo{ID: 9, File: 2, Size: 4096}) }, "have the same file 2"},
		"dangling parent":   {func(_ string, tx *Tx) error { return tx.layers().remove(1) }, "which is not there"},
		"dangling snapshot": {func(_ string, tx *Tx) error { return tx.Snapshots().put(7, Snapshot{ID: 7, VolumeID: 5}) }, "snapshot 7 is of volume 5"},
		"id to come again":  {func(_ string, tx *Tx) error { return tx.Snapshots().bucket.SetSequence(0) }, "snapshots: id 1 is there"},
		"not in its index":  {func(_ string, tx *Tx) error { return tx.tx.Bucket(bucketVolumeSnapshots).Delete(pair(1, 1)) }, "not listed for volume 1"},
		"dangling member": {func(_ string, tx *Tx) error {
			return tx.GroupSnapshots().put(1, GroupSnapshot{ID: 1, Members: []int64{1}})
		}, "lists snapshot 1"},
		"wrong totals":     {func(_ string, tx *Tx) error { return tx.count(Volume{}, Volume{ID: 9, Size: 4096}) }, "totals are"},
		"account too many": {func(_ string, tx *Tx) error { return tx.setOwner(9, 0, 1) }, "lists volume 9"},
		"account too few":  {func(_ string, tx *Tx) error { return tx.setOwner(1, 1, 0) }, "volume 1 is of account 1, which does not know of it"},
		"account of none":  {func(_ string, tx *Tx) error { return tx.tx.Bucket(bucketAccountVolumes).Put(pair(9, 1), nil) }, "account-volumes: entry"},
		"wrong count":      {func(_ string, tx *Tx) error { return tx.countOwned(1, 1) }, "lists 2 volumes and counts 3"},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := Check(damaged(t, c.damage))
			if err != nil || !strings.Contains(strings.Join(report.Problems, "\n"), c.want) {
				t.Errorf("%v, %q; want %q", err, report.Problems, c.want)
			}
		})
	}
	report, err := Check(damaged(t, func(string, *Tx) error { return nil }))
	if err != nil || len(report.Problems) > 0 || report.Volumes != 2 || report.Snapshots != 1 || report.Layers != 3 || report.LongestChain != 2 {
		t.Errorf("undamaged: %+v, %v", report, err)
	}
}
