package sched

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"

	"github.com/san-csi/san-csi/pkg/qos"
)

// load keeps depth I/Os of n bytes waiting at a volume until ctx ends, and
// counts those that were let through.
type load struct {
	volume *Volume
	done   atomic.Int64
}

func (l *load) start(ctx context.Context, wg *sync.WaitGroup, depth, n int) {
	for range depth {
		wg.Go(func() {
			for l.volume.Admit(ctx, n) == nil {
				l.done.Add(1)
			}
		})
	}
}

// contend runs a greedy load of 4 KiB on each volume and returns, for each, what
// came through in each of so many seconds, after one of settling.
func contend(t *testing.T, a *Array, seconds int, values ...qos.Values) [][]int64 {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	loads := make([]load, len(values))
	for i, v := range values {
		loads[i].volume = a.NewVolume(v, 0)
		loads[i].start(ctx, &wg, 4, page)
	}
	counts := make([][]int64, len(values))
	time.Sleep(time.Second + 100*time.Microsecond) // between I/Os
	for range seconds {
		before := make([]int64, len(values))
		for i := range loads {
			before[i] = loads[i].done.Load()
		}
		time.Sleep(time.Second)
		for i := range loads {
			counts[i] = append(counts[i], loads[i].done.Load()-before[i])
		}
	}
	cancel()
	wg.Wait()
	return counts
}

// near: a turn of 5 ms, or an I/O, may fall on either side of a second's end.
func near(t *testing.T, what string, got []int64, want, slack int64) {
	t.Helper()
	var sum int64
	for _, n := range got {
		sum += n
		if n < want-slack || n > want+slack {
			t.Errorf("%s: %d I/Os in a second, want %d and %d at most beside it", what, n, want, slack)
		}
	}
	if total := want * int64(len(got)); sum < total-slack || sum > total+slack {
		t.Errorf("%s: %d I/Os in %d s, want %d", what, sum, len(got), total)
	}
}

// Eight volumes that take what they get do not touch the floor of the ninth:
// it has its 1000 IOPS in every second, to the I/O, and they share the rest.
func TestFloorAmongEightGreedyVolumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		values := []qos.Values{{Min: 1000, Max: 1000, Burst: 1000}}
		for range 8 {
			values = append(values, qos.Values{Min: 50, Max: 15000, Burst: 15000})
		}
		counts := contend(t, NewArray(clock.RealClock{}, 5000), 5, values...)
		near(t, "floor", counts[0], 1000, 1)
		for _, greedy := range counts[1:] {
			near(t, "greedy", greedy, 500, 25) // (5000 - 1000) / 8
		}
	})
}

// What is left over the floors is shared in proportion to Max - Min: each
// volume is as far from its ceiling as any other.
func TestSharesAreProportional(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := contend(t, NewArray(clock.RealClock{}, 6000), 5,
			qos.Values{Min: 1000, Max: 2000, Burst: 2000},
			qos.Values{Min: 500, Max: 3500, Burst: 3500},
			qos.Values{Min: 100, Max: 5100, Burst: 5100})
		// 6000 - 1600 for 9000: 0.4889 of Max - Min.
		near(t, "1000", counts[0], 1489, 25)
		near(t, "3000", counts[1], 1967, 25)
		near(t, "5000", counts[2], 2544, 25)
	})
}

// A ceiling that is reached leaves its share to the others.
func TestCeilingUnderContention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := contend(t, NewArray(clock.RealClock{}, 4000), 5,
			qos.Values{Min: 50, Max: 100, Burst: 100},
			qos.Values{Min: 50, Max: 10000, Burst: 10000},
			qos.Values{Min: 3000, Max: 3000, Burst: 3000})
		near(t, "small", counts[0], 54, 5)  // 50 and 50/10000 of the 900 that are left
		near(t, "large", counts[1], 946, 5) // the rest
		near(t, "floor", counts[2], 3000, 1)
	})
}

// Floors that are more than the array can do are all cut by the same part.
func TestFloorsBeyondTheCapability(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := contend(t, NewArray(clock.RealClock{}, 1500), 5,
			qos.Values{Min: 1000, Max: 5000, Burst: 5000},
			qos.Values{Min: 2000, Max: 5000, Burst: 5000})
		near(t, "1000", counts[0], 500, 2)
		near(t, "2000", counts[1], 1000, 2)
	})
}

// A volume that did nothing for a while has saved up a depth of its floor and
// no share.
func TestIdleAndReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewArray(clock.RealClock{}, 2000)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var wg sync.WaitGroup
		values := qos.Values{Min: 200, Max: 5000, Burst: 5000}
		stays, returns := load{volume: a.NewVolume(values, 0)}, load{volume: a.NewVolume(values, 0)}
		stays.start(ctx, &wg, 4, page)
		time.Sleep(time.Minute)
		before := stays.done.Load()
		returns.start(ctx, &wg, 4, page)
		time.Sleep(time.Second)
		back, stayed := returns.done.Load(), stays.done.Load()-before
		if want := int64(1000 + 20/2); back < want-10 || back > want+10 {
			t.Errorf("%d I/Os in the first second back, want %d", back, want)
		}
		if back+stayed > 2000+20+10 {
			t.Errorf("%d I/Os in a second of an array of 2000", back+stayed)
		}
		cancel()
		wg.Wait()
	})
}

// One I/O of 1 MiB costs 150 of 4 KiB, and a load of them gets no more of the
// array than one of small I/Os.
func TestLargeIOsBesideSmallOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewArray(clock.RealClock{}, 6000)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		values := qos.Values{Min: 50, Max: 20000, Burst: 20000}
		large, small := load{volume: a.NewVolume(values, 0)}, load{volume: a.NewVolume(values, 0)}
		large.start(ctx, &wg, 4, 1<<20)
		small.start(ctx, &wg, 4, page)
		time.Sleep(10 * time.Second)
		if l, s := large.done.Load(), small.done.Load(); l < 199 || s < 29850 || 150*l+s > 60600+150 {
			t.Errorf("%d large, %d small, want 200 and 30000, and between them the 600 saved up at first", l, s)
		}
		cancel()
		wg.Wait()
	})
}

func TestChangeUnderContention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewArray(clock.RealClock{}, 4000)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var loads [2]load
		for i := range loads {
			loads[i].volume = a.NewVolume(qos.Values{Min: 50, Max: 10050, Burst: 10050}, 0)
			loads[i].start(ctx, &wg, 4, page)
		}
		second := func() (n [2]int64) {
			from := [2]int64{loads[0].done.Load(), loads[1].done.Load()}
			time.Sleep(time.Second)
			return [2]int64{loads[0].done.Load() - from[0], loads[1].done.Load() - from[1]}
		}
		second()
		for _, step := range []struct {
			values qos.Values
			want   int64
		}{
			{qos.Values{Min: 50, Max: 10050, Burst: 10050}, 2000},
			{qos.Values{Min: 3000, Max: 3000, Burst: 3000}, 3000}, // a floor
			{qos.Values{Min: 50, Max: 300, Burst: 300}, 145},      // 50 and 250/10250 of 3900
			{qos.Values{Min: 50, Max: 30050, Burst: 30050}, 2975}, // 50 and 3/4
		} {
			loads[0].volume.SetQoS(step.values)
			n := second()
			if slack := 25 + step.values.Min/10; n[0] < step.want-slack || n[0] > step.want+slack || n[0]+n[1] > 4400 {
				t.Errorf("%+v: %d I/Os in the next second of %d, want %d", step.values, n[0], n[0]+n[1], step.want)
			}
		}
		cancel()
		wg.Wait()
	})
}

// While the array has something left, nobody waits, whatever the floors.
func TestNobodyWaitsBelowTheCapability(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewArray(clock.RealClock{}, 10000)
		for i := range 5 {
			v := a.NewVolume(qos.Values{Min: 50, Max: 1900, Burst: 1900}, 0)
			for n := range 190 {
				if !v.TryAdmit(page) {
					t.Fatalf("volume %d: I/O %d has to wait", i, n)
				}
			}
		}
	})
}

func TestWithheldAtTheArray(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewArray(clock.RealClock{}, 2000)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		loads := [2]load{
			{volume: a.NewVolume(qos.Values{Min: 50, Max: 2050, Burst: 2050}, 0)},
			{volume: a.NewVolume(qos.Values{Min: 50, Max: 2050, Burst: 2050}, 0)},
		}
		for i := range loads {
			loads[i].start(ctx, &wg, 4, page)
		}
		time.Sleep(time.Second)
		before := loads[0].volume.Usage().Withheld
		time.Sleep(10 * time.Second)
		// It does 1000 of its 2050 IOPS and misses the rest.
		if got := (loads[0].volume.Usage().Withheld - before).Seconds() / 10; got < 0.50 || got > 0.53 {
			t.Errorf("withheld for %.3f of the time, want %.3f", got, 1-1000.0/2050)
		}
		cancel()
		wg.Wait()
	})
}

func TestWaitersAtTheArrayGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewArray(clock.RealClock{}, 10)
		v := a.NewVolume(qos.Values{Min: 1, Max: 100, Burst: 100}, 0)
		if err := v.Admit(t.Context(), 64<<10); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := v.Admit(ctx, page); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if a.busy.Load() {
			t.Error("a waiter that gave up is still in the line")
		}
		start := time.Now()
		if err := a.NewVolume(qos.Values{Min: 1, Max: 100, Burst: 100}, 0).Admit(t.Context(), page); err != nil {
			t.Fatal(err)
		}
		// A second for the ten I/Os of before, less the depth that was saved up.
		if at := time.Since(start); at != 890*time.Millisecond {
			t.Errorf("the next one went after %v", at)
		}
	})
}

// Many at once, with I/Os of any size, deadlines and changes: nobody is
// forgotten, and together they get no more than there is.
func TestManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const capability, seconds = 3000, 20
		a := NewArray(clock.RealClock{}, capability)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var cost atomic.Int64
		for n := range 6 {
			v := a.NewVolume(qos.Values{Min: 50, Max: 500, Burst: 2000}, time.Minute)
			for i := range 5 {
				random := rand.New(rand.NewPCG(uint64(n), uint64(i)))
				wg.Go(func() {
					for ctx.Err() == nil {
						size := page << random.IntN(9)
						short, done := context.WithTimeout(ctx, time.Duration(1+random.IntN(2000))*time.Millisecond)
						if v.Admit(short, size) == nil {
							cost.Add(a.curve.Cost(size))
						}
						done()
						if random.IntN(50) == 0 {
							low := int64(50 + random.IntN(1000))
							v.SetQoS(qos.Values{Min: low, Max: 2 * low, Burst: 3 * low})
						}
					}
				})
			}
		}
		time.Sleep(seconds * time.Second)
		cancel()
		wg.Wait()
		got, most := float64(cost.Load())/100, capability*(seconds+(2*Depth).Seconds())+150
		if got > most || got < 0.95*most {
			t.Errorf("%.0f I/Os of 4 KiB in %d s, want close to %.0f and no more", got, seconds, most)
		}
		if a.busy.Load() || a.overdue.Load() {
			t.Error("somebody is still in the line")
		}
	})
}
