package store

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"go.etcd.io/bbolt"
)

const (
	cutHistories = 8
	cutsEach     = 16
)

// TestPowerCutAndKillAtAnyPoint lets a store die before a random operation on
// its media, by a kill or by a power cut that loses any part of what was not
// synced, again and again on what the last one left.
func TestPowerCutAndKillAtAnyPoint(t *testing.T) {
	for seed := range uint64(cutHistories) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			dir, m, on := t.TempDir(), newModel(t, seed), newSimMedia()
			now := dir
			for cut := range cutsEach {
				power := m.r.IntN(3) > 0
				next := filepath.Join(dir, strconv.Itoa(cut))
				if err := os.Mkdir(next, 0o700); err != nil {
					t.Fatal(err)
				}
				m.open(now, on)
				m.dieIn(on, 1+m.r.IntN(700), next)
				if on = on.afterKill(); power {
					on = on.afterPowerCut(m.r)
				}
				m.checkImage(next, on)
				now = next
				m.open(now, on)
				m.recover(power)
				m.checkStore(true)
				if err := m.close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// dieIn works until the media die, after so many operations, and leaves the
// database as it was then in a directory.
func (m *model) dieIn(on *simMedia, operations int, image string) {
	m.t.Helper()
	if err := m.openDisks(); err != nil {
		m.t.Fatal(err)
	}
	store := m.store
	var failed error
	on.mu.Lock()
	on.left = operations
	on.dies = func() {
		failed = store.db.View(func(b *bbolt.Tx) error { return b.CopyFile(filepath.Join(image, metadataName), 0o600) })
	}
	on.mu.Unlock()
	for {
		err := m.step()
		if on.isDead() {
			break
		}
		if err != nil {
			m.t.Fatal(err)
		}
	}
	_ = m.close() // the dead fail, each in its own way
	if failed != nil {
		m.t.Fatal(failed)
	}
}

// checkImage looks at what a crash left, before anything is mended.
func (m *model) checkImage(dir string, on media) {
	m.t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, metadataName), 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		m.t.Fatal(err)
	}
	defer db.Close()
	if report, err := checkAll(db, on); err != nil || len(report.Problems) > 0 {
		m.t.Fatalf("%v; %+v", err, report)
	}
}

// recover compares what a crash left with what it may have left, and goes on
// from there.
func (m *model) recover(power bool) {
	m.t.Helper()
	m.takePending()
	if err := m.openDisks(); err != nil {
		m.t.Fatal(err)
	}
	m.compareRecords()
	for _, id := range slices.Sorted(maps.Keys(m.volumes)) {
		v := m.volumes[id]
		m.accept(power, v.disk, v.sectors, fmt.Sprintf("volume %d", id))
	}
	for _, id := range slices.Sorted(maps.Keys(m.snapshots)) {
		m.withClone(id, func(d *Disk) {
			m.accept(power, d, m.snapshots[id].sectors, fmt.Sprintf("snapshot %d", id))
		})
	}
	m.verifyTidy()
}

// takePending takes the transaction that was under way into the model, if it
// was committed.
func (m *model) takePending() {
	m.t.Helper()
	err := m.store.View(func(t *Tx) error {
		c, err := t.Cluster()
		if done := strconv.Itoa(m.changes + 1); c.NodeUUID == done {
			m.committed()
		} else if m.changes > 0 && c.NodeUUID != strconv.Itoa(m.changes) {
			m.t.Fatalf("change %s is the last, want %d", c.NodeUUID, m.changes)
		}
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *model) compareRecords() {
	m.t.Helper()
	var volumes, snapshots []int64
	err := m.store.View(func(t *Tx) error {
		for v, err := range t.Volumes().From(0) {
			if err != nil {
				return err
			}
			volumes = append(volumes, v.ID)
			if want := m.volumes[v.ID]; want != nil && int64(len(want.sectors))*simSector != v.Size {
				m.t.Errorf("volume %d has %d bytes, want %d", v.ID, v.Size, len(want.sectors)*simSector)
			}
		}
		for s, err := range t.Snapshots().From(0) {
			if err != nil {
				return err
			}
			snapshots = append(snapshots, s.ID)
		}
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	if want := slices.Sorted(maps.Keys(m.volumes)); !slices.Equal(volumes, want) {
		m.t.Errorf("volumes %v, want %v", volumes, want)
	}
	if want := slices.Sorted(maps.Keys(m.snapshots)); !slices.Equal(snapshots, want) {
		m.t.Errorf("snapshots %v, want %v", snapshots, want)
	}
}

// accept holds each sector to the values that it may have, and takes the one
// that it has.
func (m *model) accept(power bool, d *Disk, want []sector, what string) {
	m.t.Helper()
	got, err := readAll(d, int64(len(want))*simSector)
	if err != nil {
		m.t.Fatal(err)
	}
	for i, s := range want {
		have, whole := value(got[i*simSector : (i+1)*simSector])
		if !power {
			s.values = s.values[s.acked:]
		}
		if !whole || !slices.Contains(s.values, have) {
			m.t.Fatalf("%s, sector %d has %d (whole: %v), may have %v", what, i, have, whole, s)
		}
		if power {
			want[i] = sector{values: []uint64{have}}
		} else {
			// It may still be lost by a power cut.
			want[i].values = append(slices.Clone(want[i].values), have)
			want[i].acked = len(want[i].values) - 1
		}
	}
}

// TestMediaLoseWhatIsNotSynced holds the simulation to what it stands for.
func TestMediaLoseWhatIsNotSynced(t *testing.T) {
	lost, kept := 0, 0
	for seed := range uint64(50) {
		m := newSimMedia()
		f, err := m.create("f")
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []func() error{
			func() error { return f.Truncate(2 * simPage) },
			func() error { _, err := f.WriteAt([]byte{1}, 0); return err },
			f.Sync, m.sync,
			func() error { _, err := f.WriteAt([]byte{2}, 0); return err },
		} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		g, err := m.afterPowerCut(rand.New(rand.NewPCG(seed, 0))).open("f")
		if err != nil {
			t.Fatal(err)
		}
		got := []byte{0}
		if _, err := g.ReadAt(got, 0); err != nil {
			t.Fatal(err)
		}
		switch got[0] {
		case 1:
			lost++
		case 2:
			kept++
		default:
			t.Fatalf("the synced write is lost: %d", got[0])
		}
	}
	if lost == 0 || kept == 0 {
		t.Errorf("of the writes not synced %d were lost and %d kept", lost, kept)
	}
}
