package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"go.etcd.io/bbolt"
)

// volumeOn makes a volume on media in memory and opens it.
func volumeOn(t testing.TB, size int64) (*Store, Volume, *Disk) {
	t.Helper()
	s, err := openOn(t.TempDir(), newSimMedia(), modelTime, bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	var v Volume
	if err := s.Update(func(tx *Tx) error { v, err = addModelVolume(tx, size); return err }); err != nil {
		t.Fatal(err)
	}
	d, err := s.OpenDisk(v)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(d.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	return s, v, d
}

func snapshotNow(t testing.TB, s *Store, volume int64) Snapshot {
	t.Helper()
	var snap Snapshot
	err := s.Update(func(tx *Tx) error {
		var err error
		snap, err = tx.AddSnapshot(Snapshot{VolumeID: volume})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func chainLength(d *Disk) int { return len(d.blocks.chain.Load().layers) }

// TestChainsDoNotGrow: snapshots that come and go leave a single layer, which
// is read and written directly.
func TestChainsDoNotGrow(t *testing.T) {
	s, v, d := volumeOn(t, 1<<20)
	for i := range 40 {
		if _, err := d.WriteAt(bytes.Repeat([]byte{byte(i)}, blockSize), int64(i)*blockSize); err != nil {
			t.Fatal(err)
		}
		snap := snapshotNow(t, s, v.ID)
		if i >= 3 {
			if err := s.Update(func(tx *Tx) error { return tx.RemoveSnapshot(snap.ID - 3) }); err != nil {
				t.Fatal(err)
			}
		}
		s.keeper.settle()
		if n := chainLength(d); n > 5 {
			t.Fatalf("%d layers for %d snapshots", n, min(i+1, 3))
		}
	}
	err := s.Update(func(tx *Tx) error {
		return errors.Join(tx.RemoveSnapshot(38), tx.RemoveSnapshot(39), tx.RemoveSnapshot(40))
	})
	if err != nil {
		t.Fatal(err)
	}
	s.keeper.settle()
	if c := d.blocks.chain.Load(); len(c.layers) != 1 || c.index != nil {
		t.Errorf("%d layers without a snapshot", len(c.layers))
	}
	got := make([]byte, blockSize)
	for i := range 40 {
		if _, err := d.ReadAt(got, int64(i)*blockSize); err != nil || got[0] != byte(i) {
			t.Errorf("block %d has %d, %v", i, got[0], err)
		}
	}
}

// TestClonesOfAnIdleVolumeShareOneLayer: they add nothing to its chain.
func TestClonesOfAnIdleVolumeShareOneLayer(t *testing.T) {
	s, v, d := volumeOn(t, 1<<20)
	if _, err := d.WriteAt([]byte("golden"), 0); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if err := s.Update(func(tx *Tx) error { _, err := tx.AddClone(v, v.ID, 0); return err }); err != nil {
			t.Fatal(err)
		}
	}
	s.keeper.settle()
	if n := chainLength(d); n != 2 {
		t.Errorf("%d layers", n)
	}
	report, err := checkAll(s.db, s.media)
	if err != nil || len(report.Problems) > 0 || report.Layers != 52 || report.AllocatedBytes != blockSize {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestExtent(t *testing.T) {
	s, v, d := volumeOn(t, 1<<20)
	for _, off := range []int64{0, 8 * blockSize} {
		if _, err := d.WriteAt(make([]byte, blockSize), off); err != nil { // zeroes, but mapped
			t.Fatal(err)
		}
		if _, err := d.WriteAt([]byte{1}, off); err != nil {
			t.Fatal(err)
		}
		snapshotNow(t, s, v.ID)
	}
	if err := d.Unmap(8*blockSize, blockSize/2); err != nil { // less than a block frees nothing
		t.Fatal(err)
	}
	for _, c := range []struct {
		off, n int64
		mapped bool
	}{
		{0, blockSize, true}, {512, blockSize - 512, true}, {blockSize, 7 * blockSize, false},
		{8 * blockSize, blockSize, true}, {9 * blockSize, 1<<20 - 9*blockSize, false},
	} {
		if n, mapped, err := d.Extent(c.off); err != nil || n != c.n || mapped != c.mapped {
			t.Errorf("extent at %d: %d, %v, %v; want %d, %v", c.off, n, mapped, err, c.n, c.mapped)
		}
	}
	if err := d.Unmap(0, 9*blockSize); err != nil {
		t.Fatal(err)
	}
	if n, mapped, err := d.Extent(0); err != nil || n != 1<<20 || mapped {
		t.Errorf("all unmapped: %d, %v, %v", n, mapped, err)
	}
	if _, _, err := d.Extent(1 << 20); err == nil {
		t.Error("an extent beyond the end")
	}
}

// TestGroupSnapshotIsOneMoment writes to two volumes in turn, each time the
// same number, while group snapshots are taken: the second volume is never
// ahead of the first, nor more than one behind.
func TestGroupSnapshotIsOneMoment(t *testing.T) {
	s, v, first := volumeOn(t, 1<<20)
	var w Volume
	err := s.Update(func(tx *Tx) error { var err error; w, err = addModelVolume(tx, 1<<20); return err })
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.OpenDisk(w)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		block := make([]byte, blockSize)
		for n := uint64(1); ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			fill(block, n)
			for _, d := range []*Disk{first, second} {
				if _, err := d.WriteAt(block, 0); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	var groups [][]Snapshot
	for range 20 {
		err := s.Update(func(tx *Tx) error {
			_, members, err := tx.AddGroupSnapshot(GroupSnapshot{}, []Snapshot{{VolumeID: v.ID}, {VolumeID: w.ID}})
			groups = append(groups, members)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	writer.Wait()
	for _, g := range groups {
		a, b := readSnapshot(t, s, g[0]), readSnapshot(t, s, g[1])
		if b > a || a > b+1 {
			t.Errorf("snapshots %d and %d have %d and %d", g[0].ID, g[1].ID, a, b)
		}
	}
}

// readSnapshot is the number in its first block, which must be whole.
func readSnapshot(t *testing.T, s *Store, snap Snapshot) uint64 {
	t.Helper()
	var c Volume
	err := s.Update(func(tx *Tx) error {
		var err error
		c, err = tx.AddClone(Volume{AccountID: 1, Size: snap.Size}, snap.VolumeID, snap.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.OpenDisk(c)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	block := make([]byte, blockSize)
	if _, err := d.ReadAt(block, 0); err != nil {
		t.Fatal(err)
	}
	n, whole := value(block)
	if !whole {
		t.Errorf("snapshot %d has a torn block", snap.ID)
	}
	return n
}

// TestManyWriters has several write, each to sectors of its own between the
// others', while snapshots come and go and layers are merged.
func TestManyWriters(t *testing.T) {
	const writers, rounds = 4, 300
	s, v, d := volumeOn(t, 256<<10)
	last := make([]map[int64]uint64, writers)
	var busy sync.WaitGroup
	for w := range writers {
		last[w] = map[int64]uint64{}
		busy.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 0))
			sector := make([]byte, simSector)
			for n := range uint64(rounds) {
				at := (r.Int64N(256<<10/simSector/writers)*writers + int64(w)) * simSector
				fill(sector, n+1)
				if _, err := d.WriteAt(sector, at); err != nil {
					t.Error(err)
				}
				last[w][at] = n + 1
				if _, err := d.ReadAt(sector, at); err != nil || sector[0] != byte(n+1) {
					t.Errorf("sector at %d has %d, want %d, %v", at, sector[0], byte(n+1), err)
				}
			}
		})
	}
	for range 25 {
		snap := snapshotNow(t, s, v.ID)
		if err := d.Sync(); err != nil {
			t.Error(err)
		}
		if err := s.Update(func(tx *Tx) error { return tx.RemoveSnapshot(snap.ID) }); err != nil {
			t.Fatal(err)
		}
	}
	busy.Wait()
	s.keeper.settle()
	sector := make([]byte, simSector)
	for _, written := range last {
		for at, n := range written {
			if _, err := d.ReadAt(sector, at); err != nil {
				t.Fatal(err)
			}
			if got, _ := value(sector); got != n {
				t.Errorf("sector at %d has %d, want %d", at, got, n)
			}
		}
	}
}

// BenchmarkRead shows what a read costs by the number of snapshots below.
func BenchmarkRead(b *testing.B) {
	for _, snapshots := range []int{0, 1, 32} {
		b.Run(fmt.Sprintf("snapshots=%d", snapshots), func(b *testing.B) {
			s, err := Open(filepath.Join(b.TempDir(), "data"), modelTime)
			if err != nil {
				b.Fatal(err)
			}
			const size = 16 << 20
			var v Volume
			if err := s.Update(func(tx *Tx) error { v, err = addModelVolume(tx, size); return err }); err != nil {
				b.Fatal(err)
			}
			d, err := s.OpenDisk(v)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { b.StopTimer(); _ = d.Close(); _ = s.Close() }()
			block := bytes.Repeat([]byte{1}, blockSize)
			for i := range snapshots + 1 {
				for off := int64(i) * blockSize; off < size; off += int64(snapshots+1) * blockSize {
					if _, err := d.WriteAt(block, off); err != nil {
						b.Fatal(err)
					}
				}
				if i < snapshots {
					snapshotNow(b, s, v.ID)
				}
			}
			r := rand.New(rand.NewPCG(1, 1))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.ReadAt(block, r.Int64N(size/blockSize)*blockSize); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen opens a directory of 4,000 volumes, each with a snapshot.
func BenchmarkOpen(b *testing.B) {
	dir, on := b.TempDir(), newSimMedia()
	s, err := openOn(dir, on, modelTime, bbolt.Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	err = s.Update(func(tx *Tx) error {
		for i := range 4000 {
			v, err := tx.AddVolume(Volume{Name: strconv.Itoa(i), Size: 1 << 30})
			if err != nil {
				return err
			}
			if _, err := tx.AddSnapshot(Snapshot{VolumeID: v.ID}); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := openOn(dir, on, modelTime, bbolt.Options{NoSync: true})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
