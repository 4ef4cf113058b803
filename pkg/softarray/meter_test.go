package softarray

import (
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// memory is a disk whose I/O takes a fixed time.
type memory struct {
	clock *clocktesting.FakeClock
	takes time.Duration
}

func (m *memory) ReadAt(p []byte, _ int64) (int, error) { m.clock.Step(m.takes); return len(p), nil }
func (m *memory) WriteAt(p []byte, _ int64) (int, error) {
	m.clock.Step(2 * m.takes)
	return len(p), nil
}
func (m *memory) Unmap(int64, int64) error { return nil }
func (m *memory) Sync() error              { return nil }
func (m *memory) Size() int64              { return 1 << 30 }

func (m *memory) Extent(off int64) (n int64, mapped bool, err error) {
	return m.Size() - off, true, nil
}

func TestMeterCounts(t *testing.T) {
	c := clocktesting.NewFakeClock(time.Unix(1000, 0))
	before := store.Counters{ReadOps: 100, ReadBytes: 409600}
	m := newMeter(&memory{clock: c, takes: time.Millisecond}, c, before)
	read := func(n int, off int64) {
		if _, err := m.ReadAt(make([]byte, n), off); err != nil {
			t.Fatal(err)
		}
	}
	read(4096, 0)
	read(512, 512)
	read(4096, 512)
	if _, err := m.WriteAt(make([]byte, 8192), 8192); err != nil {
		t.Fatal(err)
	}
	want := store.Counters{
		ReadOps: 103, WriteOps: 1, ReadBytes: 409600 + 8704, WriteBytes: 8192,
		ReadMicros: 3000, WriteMicros: 2000, UnalignedReads: 2, Cost: 3*100 + 160,
	}
	if got := m.total(); got != want {
		t.Errorf("total %+v, want %+v", got, want)
	}
	if got := m.sample(); got != want.Sub(before) {
		t.Errorf("first sample %+v", got)
	}
	read(4096, 0)
	if got := m.sample(); got.ReadOps != 1 || got.WriteOps != 0 {
		t.Errorf("second sample %+v", got)
	}
	u := m.usage()
	if u.Sample.ReadBytes != 4096 || u.Total.ReadOps != 104 || u.Queue != 0 || !u.LastIO.Equal(c.Now()) {
		t.Errorf("usage %+v", u)
	}
}

func TestActivityOfTheArray(t *testing.T) {
	c := clocktesting.NewFakeClock(time.Date(2031, 1, 1, 23, 59, 50, 0, time.UTC))
	m := newMeter(&memory{clock: c}, c, store.Counters{WriteOps: 1000})
	all := &volumes{
		clock: c, live: map[int64]*volume{1: {meter: m}}, gone: store.Counters{ReadOps: 7},
		idle: map[int64]store.Counters{2: {ReadOps: 40}},
	}
	reads := func(n int) {
		for range n {
			if _, err := m.ReadAt(make([]byte, 4096), 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	reads(50)
	all.sample(3)
	reads(10)
	all.sample(1)
	c.Step(5 * time.Second)
	a := all.Activity()
	if a.PeakIOPS != 100 || a.PeakSessions != 3 || a.Sample.ReadOps != 10 || a.Total.ReadOps != 107 || a.Total.WriteOps != 1000 || a.AverageIOPS != 12 {
		t.Errorf("activity %+v", a)
	}
	c.Step(10 * time.Second) // past midnight: the average begins anew
	all.sample(0)
	reads(30)
	c.Step(5 * time.Second)
	if a := all.Activity(); a.AverageIOPS != 3 {
		t.Errorf("average of the new day %d", a.AverageIOPS)
	}
}
