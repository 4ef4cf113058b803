package softarray

import (
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"

	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/softarray/api"
	"github.com/san-csi/san-csi/pkg/softarray/scsi"
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// physicalBlock is what I/O is best aligned to, bytes.
const physicalBlock = 4096

// meter is a disk that counts what is read and written.
type meter struct {
	scsi.Disk
	clock  clock.PassiveClock
	curve  qos.Curve
	before store.Counters // what was counted before this start

	reads, writes direction
	cost          atomic.Int64
	queue         atomic.Int64
	lastIO        atomic.Int64 // Unix nanoseconds, 0 = never

	sampled atomic.Pointer[sample]
}

// direction counts reads or writes.
type direction struct {
	ops, bytes, nanos, unaligned atomic.Int64
}

// sample is the totals at a sample's end and what came in it.
type sample struct {
	end, delta store.Counters
}

func newMeter(d scsi.Disk, c clock.PassiveClock, before store.Counters) *meter {
	m := &meter{Disk: d, clock: c, curve: qos.ElementCurve(), before: before}
	m.sampled.Store(&sample{end: before})
	return m
}

// ReadAt reads and counts.
func (m *meter) ReadAt(p []byte, off int64) (int, error) {
	defer m.count(&m.reads, len(p), off, m.begin())
	return m.Disk.ReadAt(p, off)
}

// WriteAt writes and counts.
func (m *meter) WriteAt(p []byte, off int64) (int, error) {
	defer m.count(&m.writes, len(p), off, m.begin())
	return m.Disk.WriteAt(p, off)
}

func (m *meter) begin() time.Time {
	m.queue.Add(1)
	return m.clock.Now()
}

func (m *meter) count(d *direction, n int, off int64, began time.Time) {
	now := m.clock.Now()
	m.queue.Add(-1)
	m.lastIO.Store(now.UnixNano())
	d.ops.Add(1)
	d.bytes.Add(int64(n))
	d.nanos.Add(int64(now.Sub(began)))
	if off%physicalBlock != 0 || n%physicalBlock != 0 {
		d.unaligned.Add(1)
	}
	m.cost.Add(m.curve.Cost(n))
}

// total is what was counted since the volume was made.
func (m *meter) total() store.Counters {
	return m.before.Add(store.Counters{
		ReadOps: m.reads.ops.Load(), WriteOps: m.writes.ops.Load(),
		ReadBytes: m.reads.bytes.Load(), WriteBytes: m.writes.bytes.Load(),
		ReadMicros: m.reads.nanos.Load() / 1000, WriteMicros: m.writes.nanos.Load() / 1000,
		UnalignedReads: m.reads.unaligned.Load(), UnalignedWrites: m.writes.unaligned.Load(),
		Cost: m.cost.Load(),
	})
}

// sample ends a sample and begins the next. One goroutine calls it.
func (m *meter) sample() store.Counters {
	end := m.total()
	delta := end.Sub(m.sampled.Load().end)
	m.sampled.Store(&sample{end: end, delta: delta})
	return delta
}

func (m *meter) usage() api.Usage {
	u := api.Usage{Total: m.total(), Sample: m.sampled.Load().delta, Queue: m.queue.Load()}
	if nanos := m.lastIO.Load(); nanos != 0 {
		u.LastIO = time.Unix(0, nanos)
	}
	return u
}
