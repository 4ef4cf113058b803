package softarray

import (
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/softarray/iscsi"
	"github.com/san-csi/san-csi/pkg/softarray/sched"
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// memory is a disk that has room for anything.
type memory struct{}

func (memory) ReadAt(p []byte, _ int64) (int, error)  { return len(p), nil }
func (memory) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (memory) Unmap(int64, int64) error               { return nil }
func (memory) Sync() error                            { return nil }
func (memory) Size() int64                            { return 1 << 30 }

// do is a command as the target carries it out: the disk, then the count.
func (m *meter) do(t *testing.T, write bool, n int, off int64, arrived, ended time.Time) {
	t.Helper()
	access := m.ReadAt
	if write {
		access = m.WriteAt
	}
	if _, err := access(make([]byte, n), off); err != nil {
		t.Fatal(err)
	}
	m.Served(write, n, arrived, ended)
}

func (m memory) Extent(off int64) (n int64, mapped bool, err error) {
	return m.Size() - off, true, nil
}

func TestMeterCounts(t *testing.T) {
	began := time.Unix(1000, 0)
	before := store.Counters{ReadOps: 100, ReadBytes: 409600}
	m := newMeter(memory{}, before)
	read := func(n int, off int64) { m.do(t, false, n, off, began, began.Add(time.Millisecond)) }
	read(4096, 0)
	read(512, 512)
	read(4096, 512)
	m.do(t, true, 8192, 8192, began, began.Add(2*time.Millisecond))
	want := store.Counters{
		ReadOps: 103, WriteOps: 1, ReadBytes: 409600 + 8704, WriteBytes: 8192,
		ReadMicros: 3000, WriteMicros: 2000, UnalignedReads: 2, Cost: 3*100 + 160,
	}
	if got := m.total(); got != want {
		t.Errorf("total %+v, want %+v", got, want)
	}
	if got := m.sample(time.Second, 3, sched.Usage{Withheld: time.Second}); got != want.Sub(before) {
		t.Errorf("first sample %+v", got)
	}
	read(4096, 0)
	if got := m.sample(500*time.Millisecond, 2, sched.Usage{Withheld: 1200 * time.Millisecond}); got.ReadOps != 1 || got.WriteOps != 0 {
		t.Errorf("second sample %+v", got)
	}
	u := m.usage()
	if u.Sample.ReadBytes != 4096 || u.Total.ReadOps != 104 || u.Queue != 2 || u.Period != 500*time.Millisecond || u.Withheld != 0.4 ||
		!u.LastIO.Equal(began.Add(time.Millisecond)) {
		t.Errorf("usage %+v", u)
	}
}

func TestActivityOfTheArray(t *testing.T) {
	c := clocktesting.NewFakeClock(time.Date(2031, 1, 1, 23, 59, 49, 500e6, time.UTC))
	m := newMeter(memory{}, store.Counters{WriteOps: 1000})
	v := sched.NewArray(c, 1000).NewVolume(qos.Values{Min: 50, Max: 100, Burst: 100}, 0)
	all := &volumes{
		clock: c, live: map[int64]*volume{1: {meter: m, qos: v}}, gone: store.Counters{ReadOps: 7},
		idle: map[int64]store.Counters{2: {ReadOps: 40}}, activity: activity{sampled: c.Now()},
	}
	reads := func(n int) {
		for range n {
			m.do(t, false, 4096, 0, c.Now(), c.Now())
		}
	}
	sample := func(sessions ...iscsi.Session) {
		c.Step(500 * time.Millisecond)
		all.sample(sessions)
	}
	reads(50)
	sample(iscsi.Session{VolumeID: 1, Outstanding: 4}, iscsi.Session{VolumeID: 1, Outstanding: 3}, iscsi.Session{VolumeID: 9})
	if got := m.usage().Queue; got != 7 {
		t.Errorf("queue of the volume %d, want 7", got)
	}
	reads(10)
	sample(iscsi.Session{VolumeID: 1, Outstanding: 1})
	c.Step(4500 * time.Millisecond)
	a := all.Activity()
	if a.PeakIOPS != 100 || a.PeakSessions != 3 || a.Queue != 1 || a.Sample.ReadOps != 10 || a.Total.ReadOps != 107 || a.Total.WriteOps != 1000 || a.AverageIOPS != 12 {
		t.Errorf("activity %+v", a)
	}
	c.Step(9500 * time.Millisecond) // past midnight: the average begins anew
	sample()
	reads(30)
	c.Step(5 * time.Second)
	if a := all.Activity(); a.AverageIOPS != 3 {
		t.Errorf("average of the new day %d", a.AverageIOPS)
	}
}
