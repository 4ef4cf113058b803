package softarray

import (
	"sync/atomic"
	"time"

	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/softarray/api"
	"github.com/san-csi/san-csi/pkg/softarray/sched"
	"github.com/san-csi/san-csi/pkg/softarray/scsi"
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// physicalBlock is what I/O is best aligned to, bytes.
const physicalBlock = 4096

// meter counts a volume's I/O: commands and their latency as initiators see
// them, which includes the wait for the ceiling, and bytes as they reach the disk.
type meter struct {
	scsi.Disk
	curve  qos.Curve
	before store.Counters // what was counted before this start

	reads, writes direction
	cost          atomic.Int64
	lastIO        atomic.Int64 // Unix nanoseconds, 0 = never

	sampled atomic.Pointer[sample]
}

// direction counts reads or writes.
type direction struct {
	ops, bytes, nanos, unaligned atomic.Int64
}

// sample is the state at a sample's end and what came in it.
type sample struct {
	end, delta store.Counters
	withheld   time.Duration // in all
	usage      api.Usage
}

func newMeter(d scsi.Disk, before store.Counters) *meter {
	m := &meter{Disk: d, curve: qos.ElementCurve(), before: before}
	m.sampled.Store(&sample{end: before})
	return m
}

// ReadAt reads and counts the bytes.
func (m *meter) ReadAt(p []byte, off int64) (int, error) {
	m.reads.move(len(p), off)
	return m.Disk.ReadAt(p, off)
}

// WriteAt writes and counts the bytes.
func (m *meter) WriteAt(p []byte, off int64) (int, error) {
	m.writes.move(len(p), off)
	return m.Disk.WriteAt(p, off)
}

func (d *direction) move(n int, off int64) {
	d.bytes.Add(int64(n))
	if off%physicalBlock != 0 || n%physicalBlock != 0 {
		d.unaligned.Add(1)
	}
}

// Served counts a command of n bytes that came at one time and ended at another.
func (m *meter) Served(write bool, n int, arrived, ended time.Time) {
	d := &m.reads
	if write {
		d = &m.writes
	}
	d.ops.Add(1)
	d.nanos.Add(int64(ended.Sub(arrived)))
	m.cost.Add(m.curve.Cost(n))
	m.lastIO.Store(ended.UnixNano())
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

// sample ends a sample of that length and begins the next. One goroutine calls it.
func (m *meter) sample(period time.Duration, queue int64, u sched.Usage) store.Counters {
	last := m.sampled.Load()
	end := m.total()
	next := &sample{end: end, delta: end.Sub(last.end), withheld: u.Withheld}
	next.usage = api.Usage{Sample: next.delta, Period: period, Queue: queue}
	if period > 0 {
		next.usage.Withheld = min(1, float64(u.Withheld-last.withheld)/float64(period))
	}
	m.sampled.Store(next)
	return next.delta
}

// usage is what was done, up to now and in the last sample.
func (m *meter) usage() api.Usage {
	u := m.sampled.Load().usage
	u.Total = m.total()
	if nanos := m.lastIO.Load(); nanos != 0 {
		u.LastIO = time.Unix(0, nanos)
	}
	return u
}
