package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

var now = time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func update(t *testing.T, s *store.Store, f func(*store.Tx) error) {
	t.Helper()
	if err := s.Update(f); err != nil {
		t.Fatal(err)
	}
}

// add stores an account named after the volume's owner where need be, and a volume.
func add(tx *store.Tx, name string, size int64) (store.Volume, error) {
	a, err := tx.AccountNamed("a")
	if errors.Is(err, store.ErrNotFound) {
		a, err = tx.AddAccount(store.Account{Username: "a"})
	}
	if err != nil {
		return store.Volume{}, err
	}
	return tx.AddVolume(store.Volume{Name: name, AccountID: a.ID, Size: size, Access: store.ReadWrite, QoS: qos.Values{Min: 50, Max: 100, Burst: 100}})
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "layers"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestClusterIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	var seen []store.Cluster
	for range 2 {
		s, err := store.Open(dir, now)
		if err != nil {
			t.Fatal(err)
		}
		err = s.View(func(tx *store.Tx) error {
			c, err := tx.Cluster()
			seen = append(seen, c)
			return err
		})
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if seen[0] != seen[1] {
		t.Errorf("%+v became %+v", seen[0], seen[1])
	}
	if !regexp.MustCompile(`^[a-z0-9]{4}$`).MatchString(seen[0].UniqueID) {
		t.Errorf("unique id %q", seen[0].UniqueID)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if _, err := store.Open(dir, now); !errors.Is(err, store.ErrInUse) {
		t.Errorf("error %v, want %v", err, store.ErrInUse)
	}
}

func TestIdentities(t *testing.T) {
	c := store.Cluster{UniqueID: "3eeu"}
	v := store.Volume{ID: 320, Name: "testVolume1"}
	for what, got := range map[string][2]string{
		"NAA": {v.NAA(c), "6f47acc1000000003365657500000140"},
		"EUI": {v.EUI(c), "3365657500000140f47acc0100000000"},
		"IQN": {v.IQN(c), "iqn.2010-01.com.solidfire:3eeu.testvolume1.320"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s %s, want %s", what, got[0], got[1])
		}
	}
	if id, ok := store.VolumeOfIQN(v.IQN(c)); !ok || id != 320 {
		t.Errorf("volume of IQN: %d, %v", id, ok)
	}
	for _, iqn := range []string{"", "iqn", "iqn.a.b", "iqn.a.-3", "iqn.a.0", "iqn.a."} {
		if id, ok := store.VolumeOfIQN(iqn); ok {
			t.Errorf("volume of %q: %d", iqn, id)
		}
	}
}

func TestRollbackLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	update(t, s, func(tx *store.Tx) error { _, err := add(tx, "kept", 1<<20); return err })
	refusal := errors.New("refused")
	err := s.Update(func(tx *store.Tx) error {
		if _, err := add(tx, "lost", 1<<20); err != nil {
			return err
		}
		v, err := tx.Volumes().Get(1)
		if err != nil {
			return err
		}
		for v.Size = 2 << 20; v.Size <= 4<<20; v.Size += 1 << 20 {
			if err := tx.PutVolume(v); err != nil {
				return err
			}
		}
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Fatal(err)
	}
	if got := files(t, dir); !slices.Equal(got, []string{"1"}) {
		t.Errorf("files %v", got)
	}
	info, err := os.Stat(filepath.Join(dir, "layers", "1"))
	if err != nil || info.Size() != 1<<20 {
		t.Errorf("file of %d bytes, %v", info.Size(), err)
	}
	check(t, s, dir)
}

func TestIDsAreNeverReused(t *testing.T) {
	dir := t.TempDir()
	for want := int64(1); want <= 3; want++ {
		s, err := store.Open(dir, now)
		if err != nil {
			t.Fatal(err)
		}
		update(t, s, func(tx *store.Tx) error {
			v, err := add(tx, "v", 1<<20)
			if v.ID != want {
				t.Errorf("id %d, want %d", v.ID, want)
			}
			return err
		})
		update(t, s, func(tx *store.Tx) error { return tx.RemoveVolume(want) })
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenSweepsWhatACrashLeft(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *store.Tx) error { _, err := add(tx, "v", 1<<20); return err })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	volumes := filepath.Join(dir, "layers")
	if err := errors.Join(
		os.WriteFile(filepath.Join(volumes, "2"), []byte("made, never committed"), 0o600),
		os.WriteFile(filepath.Join(volumes, "README"), []byte("not ours"), 0o600),
		os.Truncate(filepath.Join(volumes, "1"), 3<<20), // grown, never committed
	); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if got := files(t, dir); !slices.Equal(got, []string{"1", "README"}) {
		t.Errorf("files %v", got)
	}
	info, err := os.Stat(filepath.Join(volumes, "1"))
	if err != nil || info.Size() != 1<<20 {
		t.Errorf("volume 1: %v, %v", info, err)
	}
	if err := os.Remove(filepath.Join(volumes, "README")); err != nil {
		t.Fatal(err)
	}
	check(t, s, dir)
}

func TestOpenTellsOfDamage(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"file missing":   os.Remove,
		"file too short": func(path string) error { return os.Truncate(path, 5) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := store.Open(dir, now)
			if err != nil {
				t.Fatal(err)
			}
			update(t, s, func(tx *store.Tx) error { _, err := add(tx, "v", 1<<20); return err })
			if err := errors.Join(s.Close(), damage(filepath.Join(dir, "layers", "1"))); err != nil {
				t.Fatal(err)
			}
			for range 2 { // telling it repairs nothing, and lets go of the lock
				if _, err := store.Open(dir, now); !errors.Is(err, store.ErrDamaged) {
					t.Errorf("error %v, want %v", err, store.ErrDamaged)
				}
			}
		})
	}
}

// check holds a store to what must be true at any time between transactions.
func check(t *testing.T, s *store.Store, dir string) map[int64]store.Volume {
	t.Helper()
	volumes := map[int64]store.Volume{}
	err := s.View(func(tx *store.Tx) error {
		owned, member := map[int64]int64{}, map[string]bool{}
		for a, err := range tx.Accounts().From(0) {
			if err != nil {
				return err
			}
			for _, id := range tx.VolumesOf(a.ID) {
				owned[id] = a.ID
			}
		}
		for g, err := range tx.Groups().From(0) {
			if err != nil {
				return err
			}
			if len(g.LUNs) != len(g.Volumes) {
				t.Errorf("group %d: %d LUNs, %d volumes", g.ID, len(g.LUNs), len(g.Volumes))
			}
			for _, id := range g.Volumes {
				member[fmt.Sprint(g.ID, "/", id)] = true
			}
		}
		var sum store.Totals
		for v, err := range tx.Volumes().From(0) {
			if err != nil {
				return err
			}
			volumes[v.ID] = v
			sum.Volumes, sum.Provisioned, sum.MinIOPS = sum.Volumes+1, sum.Provisioned+v.Size, sum.MinIOPS+v.QoS.Min
			if owned[v.ID] != v.AccountID {
				t.Errorf("volume %d of account %d is entered in account %d", v.ID, v.AccountID, owned[v.ID])
			}
			delete(owned, v.ID)
			for _, g := range v.Groups {
				if !member[fmt.Sprint(g, "/", v.ID)] {
					t.Errorf("volume %d says it is in group %d", v.ID, g)
				}
				delete(member, fmt.Sprint(g, "/", v.ID))
			}
			if tx.DeletedVolumes()[v.ID] == v.Active() {
				t.Errorf("volume %d: active %v, but listed otherwise", v.ID, v.Active())
			}
			named, err := tx.VolumesNamed(v.Name)
			if err != nil || !slices.ContainsFunc(named, func(o store.Volume) bool { return o.ID == v.ID }) {
				t.Errorf("volume %d is not found by name %q: %v", v.ID, v.Name, err)
			}
		}
		if len(owned) > 0 || len(member) > 0 {
			t.Errorf("accounts and groups know volumes that are not: %v, %v", owned, member)
		}
		totals, err := tx.Totals()
		if totals != sum {
			t.Errorf("totals %+v, want %+v", totals, sum)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return volumes
}
