package sched

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
)

const page = 4096

// admitted counts how many I/Os of n bytes pass at once.
func admitted(c *Ceiling, n int) int {
	count := 0
	for c.TryAdmit(n) {
		count++
	}
	return count
}

func TestCreditIsExact(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit int64
		size  int
		idle  time.Duration
		want  int
	}{
		{"full at first", 1000, page, 0, 100},
		{"never more than the depth", 1000, page, time.Hour, 100},
		{"64 KiB costs ten", 1000, 64 << 10, 0, 10},
		{"512 bytes cost one", 1000, 512, 0, 100},
		{"fewer than one in the depth", 5, page, 0, 0},
		{"and paid for by waiting", 5, page, 200 * time.Millisecond, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clk := clocktesting.NewFakeClock(time.Unix(0, 0))
			c := NewCeiling(clk, tt.limit)
			clk.Step(tt.idle)
			if got := admitted(c, tt.size); got != tt.want {
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
		c := NewCeiling(clk, 1333)
		total := admitted(c, page)
		for at := time.Duration(0); at < 10*time.Second; {
			d := min(step, 10*time.Second-at)
			clk.Step(d)
			at += d
			total += admitted(c, page)
		}
		if want := 13330 + 133; total != want {
			t.Errorf("step %v: %d I/Os, want %d", step, total, want)
		}
	}
}

func TestWaitersGoInOrderAndOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCeiling(clock.RealClock{}, 100)
		admitted(c, page)
		start := time.Now()
		order := make(chan int, 3)
		for i := range 3 {
			go func() {
				if err := c.Admit(t.Context(), page); err == nil {
					order <- i
				}
			}()
			synctest.Wait()
		}
		if c.TryAdmit(page) {
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
		c := NewCeiling(clock.RealClock{}, 100)
		start := time.Now()
		if err := c.Admit(t.Context(), 1<<20); err != nil { // costs 150 I/Os, 10 are there
			t.Fatal(err)
		}
		if at := time.Since(start); at != 1400*time.Millisecond {
			t.Errorf("went after %v, want 1.4s", at)
		}
	})
}

func TestSetLimitActsOnWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCeiling(clock.RealClock{}, 1)
		start := time.Now()
		done := make(chan error)
		go func() { done <- c.Admit(t.Context(), 1<<20) }()
		synctest.Wait()
		c.SetLimit(1500)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if at := time.Since(start); at >= 100*time.Millisecond {
			t.Errorf("went after %v, want under 100ms", at)
		}
		c.SetLimit(0)
		for range 10000 {
			if !c.TryAdmit(1 << 20) {
				t.Fatal("held back without a ceiling")
			}
		}
	})
}

func TestCancelledWaiterMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCeiling(clock.RealClock{}, 10)
		admitted(c, page)
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan error), make(chan error)
		go func() { first <- c.Admit(ctx, 1<<20) }()
		synctest.Wait()
		go func() { second <- c.Admit(t.Context(), page) }()
		synctest.Wait()
		start := time.Now()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("first: %v", err)
		}
		if err := <-second; err != nil || time.Since(start) != 100*time.Millisecond {
			t.Errorf("second: %v after %v", err, time.Since(start))
		}
	})
}

func TestFastPathDoesNotAllocate(t *testing.T) {
	c := NewCeiling(clock.RealClock{}, 1<<40)
	if n := testing.AllocsPerRun(100, func() { c.TryAdmit(page) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
