package sched

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/san-csi/san-csi/pkg/qos"
)

const page = 4096

// plenty is a capability that no test reaches.
const plenty = 1000 * highest

// ceiling is a volume without a burst on an array of its own.
func ceiling(c clock.Clock, iops int64) *Volume {
	return NewArray(c, plenty).NewVolume(qos.Values{Min: 1, Max: iops, Burst: iops}, 0)
}

// atOnce counts how many I/Os of n bytes pass without waiting.
func atOnce(v *Volume, n int) int {
	count := 0
	for v.TryAdmit(n) {
		count++
	}
	return count
}

// during is what a volume lets through in d, looked at every step, the first
// time at once.
func during(clk *clocktesting.FakeClock, v *Volume, d, step time.Duration) int {
	total := atOnce(v, page)
	for at := time.Duration(0); at < d; at += step {
		clk.Step(min(step, d-at))
		total += atOnce(v, page)
	}
	return total
}

func TestCeilingIsExact(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit int64
		size  int
		idle  time.Duration
		want  int
	}{
		{"a depth of it at first", 1000, page, 0, 100},
		{"never more than that", 1000, page, time.Hour, 100},
		{"64 KiB cost ten", 1000, 64 << 10, 0, 10},
		{"512 bytes cost one", 1000, 512, 0, 100},
		{"fewer than one in the depth", 5, page, 0, 0},
		{"and paid for by waiting", 5, page, 200 * time.Millisecond, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clk := clocktesting.NewFakeClock(time.Unix(0, 0))
			v := ceiling(clk, tt.limit)
			clk.Step(tt.idle)
			if got := atOnce(v, tt.size); got != tt.want {
				t.Errorf("%d at once, want %d", got, tt.want)
			}
		})
	}
}

// Looked at every 7 ms or every 99 ms, as by a starved process, 10 s at 1333
// IOPS are 13330 I/Os and the 133 saved up, to the I/O.
func TestNoSlotIsLostWithinTheDepth(t *testing.T) {
	for _, step := range []time.Duration{7 * time.Millisecond, 99 * time.Millisecond} {
		clk := clocktesting.NewFakeClock(time.Unix(0, 0))
		if got, want := during(clk, ceiling(clk, 1333), 10*time.Second, step), 13330+133; got != want {
			t.Errorf("step %v: %d I/Os, want %d", step, got, want)
		}
	}
}

func TestWaitersGoInOrderAndOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := ceiling(clock.RealClock{}, 100)
		atOnce(v, page)
		start := time.Now()
		order := make(chan int, 3)
		for i := range 3 {
			go func() {
				if err := v.Admit(t.Context(), page); err == nil {
					order <- i
				}
			}()
			synctest.Wait()
		}
		if v.TryAdmit(page) {
			t.Error("an I/O passed those that wait")
		}
		for want := range 3 {
			if got := <-order; got != want {
				t.Errorf("waiter %d went as number %d", got, want)
			}
			if at := time.Since(start); at != time.Duration(want+1)*10*time.Millisecond {
				t.Errorf("waiter %d went after %v", want, at)
			}
		}
	})
}

func TestLargeIOIsPaidInFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := ceiling(clock.RealClock{}, 100)
		start := time.Now()
		for _, want := range []time.Duration{1400 * time.Millisecond, 2900 * time.Millisecond} { // 150 I/Os each, 10 are there
			if err := v.Admit(t.Context(), 1<<20); err != nil {
				t.Fatal(err)
			}
			if at := time.Since(start); at != want {
				t.Errorf("went after %v, want %v", at, want)
			}
		}
	})
}

func TestSetQoSActsOnWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := ceiling(clock.RealClock{}, 1)
		start := time.Now()
		done := make(chan error)
		go func() { done <- v.Admit(t.Context(), 1<<20) }()
		synctest.Wait()
		v.SetQoS(qos.Values{Min: 1, Max: 1500, Burst: 1500})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if at := time.Since(start); at > 100*time.Millisecond {
			t.Errorf("went after %v, want at most 100ms", at)
		}
	})
}

func TestCancelledWaiterMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := ceiling(clock.RealClock{}, 10)
		atOnce(v, page)
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan error), make(chan error)
		go func() { first <- v.Admit(ctx, 1<<20) }()
		synctest.Wait()
		go func() { second <- v.Admit(t.Context(), page) }()
		synctest.Wait()
		start := time.Now()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("first: %v", err)
		}
		if err := <-second; err != nil || time.Since(start) != 100*time.Millisecond {
			t.Errorf("second: %v after %v", err, time.Since(start))
		}
		if err := v.Admit(ctx, page); !errors.Is(err, context.Canceled) {
			t.Errorf("a call that was cancelled before: %v", err)
		}
	})
}

func TestFastPathDoesNotAllocate(t *testing.T) {
	v := ceiling(clock.RealClock{}, highest)
	if n := testing.AllocsPerRun(100, func() { v.TryAdmit(page) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
