package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// sector is the values that a sector may have after a power cut: the last that
// was synced, and those written since. After a kill it has the last that was
// acknowledged, or one of those after it. 0 = zeroes.
type sector struct {
	values []uint64
	acked  int // index of values
}

func (s sector) last() uint64 { return s.values[len(s.values)-1] }

type modelVolume struct {
	sectors []sector
	disk    *Disk
}

type modelSnapshot struct {
	volume  int64
	sectors []sector
}

// model is what a store must show, beside the store.
type model struct {
	t         *testing.T
	r         *rand.Rand
	store     *Store
	volumes   map[int64]*modelVolume
	snapshots map[int64]*modelSnapshot
	groups    map[int64][]int64
	stamp     uint64
	changes   int // committed transactions
	dead      func() bool
	// told: the transaction under way was acknowledged.
	told bool
	// tx is what the transaction under way does to the model, if it is committed.
	tx func()
}

const (
	modelStep = 32 << 10 // bytes that sizes are multiples of
	modelMax  = 4        // volumes
	modelKept = 6        // snapshots
)

func newModel(t *testing.T, seed uint64) *model {
	t.Logf("seed %d", seed)
	return &model{
		t: t, r: rand.New(rand.NewPCG(seed, 0)),
		volumes: map[int64]*modelVolume{}, snapshots: map[int64]*modelSnapshot{}, groups: map[int64][]int64{},
	}
}

func zeroes(size int64) []sector {
	s := make([]sector, size/simSector)
	for i := range s {
		s[i] = sector{values: []uint64{0}}
	}
	return s
}

// resized is the content in another size.
func resized(s []sector, size int64) []sector {
	next := zeroes(size)
	copy(next, s)
	return next
}

func (m *model) size() int64 { return int64(1+m.r.IntN(4)) * modelStep }

func pick[K int64, V any](m *model, of map[K]V) (K, bool) {
	if len(of) == 0 {
		return 0, false
	}
	keys := slices.Sorted(maps.Keys(of))
	return keys[m.r.IntN(len(keys))], true
}

// update runs a transaction that is marked, so that a look at the store tells
// whether it was committed.
func (m *model) update(fn func(*Tx) error) error {
	m.tx = nil
	err := m.store.Update(func(t *Tx) error {
		if err := fn(t); err != nil {
			return err
		}
		c, err := t.Cluster()
		if err != nil {
			return err
		}
		c.NodeUUID = strconv.Itoa(m.changes + 1)
		return t.PutCluster(c)
	})
	return err
}

// committed takes the transaction's effect into the model.
func (m *model) committed() {
	m.changes++
	if m.tx != nil {
		m.tx()
	}
	m.tx = nil
}

// step does one random thing.
func (m *model) step() error {
	id, ok := pick(m, m.volumes)
	if !ok {
		return m.change(m.create)
	}
	v := m.volumes[id]
	switch m.r.IntN(26) {
	case 0, 1, 2, 3, 4, 5, 6, 7:
		return m.write(v)
	case 8, 9:
		return m.unmap(v)
	case 10, 11:
		return m.sync(v)
	case 12, 13:
		return m.verify(v.disk, v.sectors, "volume "+strconv.FormatInt(id, 10))
	case 14:
		return m.change(m.create)
	case 15, 16, 17:
		return m.change(func(t *Tx) error { return m.snapshot(t, id) })
	case 18:
		return m.change(m.copySnapshot)
	case 19, 20:
		return m.change(m.removeSnapshot)
	case 21:
		return m.change(m.rollback)
	case 22:
		return m.change(func(t *Tx) error { return m.clone(t, id) })
	case 23:
		return m.change(func(t *Tx) error { return m.grow(t, id) })
	case 24:
		return m.change(func(t *Tx) error { return m.copyVolume(t, id) })
	}
	if m.r.IntN(2) == 0 {
		return m.change(m.groupSnapshot)
	}
	return m.change(func(t *Tx) error { return m.purge(t, id) })
}

// change runs a transaction and then opens and closes the disks that it made or
// took away.
func (m *model) change(fn func(*Tx) error) error {
	if err := m.update(fn); err != nil {
		return err
	}
	if m.dead != nil && m.dead() {
		return errDead
	}
	m.told = true
	m.committed()
	m.told = false
	return m.openDisks()
}

func (m *model) openDisks() error {
	for _, id := range slices.Sorted(maps.Keys(m.volumes)) {
		v := m.volumes[id]
		if v.disk != nil && m.r.IntN(40) == 0 { // also volumes that are not in use are changed
			if err := v.disk.Close(); err != nil {
				return err
			}
			v.disk = nil
		}
		if v.disk != nil {
			v.disk.SetSize(int64(len(v.sectors)) * simSector)
			continue
		}
		d, err := m.store.OpenDisk(Volume{ID: id, Size: int64(len(v.sectors)) * simSector})
		if err != nil {
			return err
		}
		v.disk = d
	}
	return nil
}

func (m *model) close() error {
	var errs []error
	for _, v := range m.volumes {
		if v.disk != nil {
			errs = append(errs, v.disk.Close())
			v.disk = nil
		}
	}
	return errors.Join(append(errs, m.store.Close())...)
}

// extent is a random range of sectors, now and then of whole blocks.
func (m *model) extent(v *modelVolume) (first, n int) {
	total := len(v.sectors)
	first, n = m.r.IntN(total), 1+m.r.IntN(64)
	if m.r.IntN(2) == 0 {
		first, n = first/8*8, (n+7)/8*8
	}
	return first, min(n, total-first)
}

func (m *model) write(v *modelVolume) error {
	first, n := m.extent(v)
	data := make([]byte, n*simSector)
	m.stamp++
	for i := range n {
		fill(data[i*simSector:(i+1)*simSector], m.stamp)
	}
	m.writing(v, first, n, m.stamp)
	if _, err := v.disk.WriteAt(data, int64(first)*simSector); err != nil {
		return err
	}
	v.acked(first, n)
	return nil
}

// fill makes a sector of one value.
func fill(p []byte, value uint64) {
	for at := 0; at < len(p); at += 8 {
		binary.LittleEndian.PutUint64(p[at:], value)
	}
}

func (m *model) writing(v *modelVolume, first, n int, value uint64) {
	for i := first; i < first+n; i++ {
		v.sectors[i].values = append(slices.Clone(v.sectors[i].values), value)
	}
}

func (v *modelVolume) acked(first, n int) {
	for i := first; i < first+n; i++ {
		v.sectors[i].acked = len(v.sectors[i].values) - 1
	}
}

// settleSectors: what was written last is what is there.
func settleSectors(sectors []sector) {
	for i, s := range sectors {
		sectors[i] = sector{values: []uint64{s.last()}}
	}
}

func (m *model) unmap(v *modelVolume) error {
	first, n := m.extent(v)
	m.writing(v, first, n, 0)
	if err := v.disk.Unmap(int64(first)*simSector, int64(n)*simSector); err != nil {
		return err
	}
	v.acked(first, n)
	return nil
}

func (m *model) sync(v *modelVolume) error {
	if err := v.disk.Sync(); err != nil {
		return err
	}
	settleSectors(v.sectors)
	return nil
}

// verify reads all of a disk; no error of the media may stand for a difference.
func (m *model) verify(d *Disk, want []sector, what string) error {
	got, err := readAll(d, int64(len(want))*simSector)
	if err != nil {
		return err
	}
	for i, s := range want {
		have, whole := value(got[i*simSector : (i+1)*simSector])
		if !whole || have != s.last() {
			m.t.Fatalf("%s, sector %d has %d (whole: %v), want %d", what, i, have, whole, s.last())
		}
	}
	return nil
}

func readAll(d *Disk, size int64) ([]byte, error) {
	got := make([]byte, size)
	for off := int64(0); off < size; off += modelStep {
		if _, err := d.ReadAt(got[off:off+modelStep], off); err != nil {
			return nil, err
		}
	}
	return got, nil
}

func value(p []byte) (uint64, bool) {
	v := binary.LittleEndian.Uint64(p)
	want := make([]byte, len(p))
	fill(want, v)
	return v, bytes.Equal(p, want)
}

// verifyAll compares every volume, and every snapshot through a clone of it.
func (m *model) verifyAll() {
	m.t.Helper()
	for _, id := range slices.Sorted(maps.Keys(m.volumes)) {
		v := m.volumes[id]
		if err := m.verify(v.disk, v.sectors, fmt.Sprintf("volume %d", id)); err != nil {
			m.t.Fatal(err)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(m.snapshots)) {
		s := m.snapshots[id]
		m.withClone(id, func(d *Disk) {
			if err := m.verify(d, s.sectors, fmt.Sprintf("snapshot %d", id)); err != nil {
				m.t.Fatal(err)
			}
		})
	}
}

// withClone opens a clone of a snapshot for a while.
func (m *model) withClone(snapshot int64, do func(*Disk)) {
	m.t.Helper()
	s := m.snapshots[snapshot]
	var clone Volume
	err := m.store.Update(func(t *Tx) error {
		a, err := modelAccount(t)
		if err != nil {
			return err
		}
		clone, err = t.AddClone(Volume{Name: "c", AccountID: a.ID, Size: int64(len(s.sectors)) * simSector}, s.volume, snapshot)
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	d, err := m.store.OpenDisk(clone)
	if err != nil {
		m.t.Fatal(err)
	}
	do(d)
	err = m.store.Update(func(t *Tx) error { return t.RemoveVolume(clone.ID) })
	if err := errors.Join(err, d.Close()); err != nil {
		m.t.Fatal(err)
	}
}

var modelTime = time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)

// openModel opens the model's store on media in memory. Its database is not
// synced: a power cut is told from what is committed.
func (m *model) open(dir string, on *simMedia) {
	m.t.Helper()
	s, err := openOn(dir, on, modelTime, bbolt.Options{NoSync: true})
	if err != nil {
		m.t.Fatal(err)
	}
	m.store, m.dead = s, on.isDead
}

func (m *model) steps(n int) {
	m.t.Helper()
	if err := m.openDisks(); err != nil {
		m.t.Fatal(err)
	}
	for range n {
		if err := m.step(); err != nil {
			m.t.Fatal(err)
		}
	}
}

// verifyTidy compares all, also after the keeper has done its work, which must
// not show.
func (m *model) verifyTidy() {
	m.t.Helper()
	m.verifyAll()
	m.store.keeper.settle()
	m.verifyAll()
	m.store.keeper.settle()
}

// TestModel does random things to a store and compares it with a model.
func TestModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			dir, m, on := t.TempDir(), newModel(t, seed), newSimMedia()
			for range 4 {
				m.open(dir, on)
				m.steps(100)
				m.verifyTidy()
				m.checkStore(true)
				if err := m.close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// checkStore holds the open store to what Check looks for. Leftovers there may
// be where it was not opened since a crash.
func (m *model) checkStore(swept bool) {
	m.t.Helper()
	report, err := checkAll(m.store.db, m.store.media)
	if err != nil || len(report.Problems) > 0 || swept && len(report.Leftovers) > 0 {
		m.t.Fatalf("%v; %+v", err, report)
	}
}

// TestModelOnHost is TestModel on the host's filesystem.
func TestModelOnHost(t *testing.T) {
	dir, m := t.TempDir(), newModel(t, 100)
	for range 2 {
		s, err := Open(dir, modelTime)
		if err != nil {
			t.Fatal(err)
		}
		m.store = s
		m.steps(80)
		m.verifyTidy()
		if err := m.close(); err != nil {
			t.Fatal(err)
		}
		report, err := Check(dir)
		if err != nil || len(report.Problems)+len(report.Leftovers) > 0 || report.Volumes != len(m.volumes) || report.Snapshots != len(m.snapshots) {
			t.Fatalf("%v; %+v", err, report)
		}
	}
}
