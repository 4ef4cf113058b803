package sched

import (
	"math"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/san-csi/san-csi/pkg/qos"
)

// bursting is a volume of 1000 IOPS that may burst to 3000: 2000 of credit a
// second, 120000 at most.
func bursting(idle time.Duration) (*clocktesting.FakeClock, *Volume) {
	clk := clocktesting.NewFakeClock(time.Unix(0, 0))
	return clk, NewArray(clk, plenty).NewVolume(qos.Values{Min: 50, Max: 1000, Burst: 3000}, idle)
}

func wantCredit(t *testing.T, v *Volume, want int64) {
	t.Helper()
	if got := v.Usage().Credit; got != want {
		t.Errorf("credit %d, want %d", got, want)
	}
}

func TestCreditIsEarnedBelowTheCeiling(t *testing.T) {
	for _, tt := range []struct {
		name string
		idle time.Duration // before
		run  time.Duration // below the ceiling
		want int64
	}{
		{"a new volume has none", 0, 0, 0},
		{"what it did not do before counts", 5 * time.Second, 0, 10000},
		{"at most a minute of that", time.Hour, 0, 120000},
		{"a second for a second", 0, 10 * time.Second, 20000},
		{"at most sixty", 0, 61 * time.Second, 120000},
		{"together too", 59 * time.Second, 2 * time.Second, 120000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clk, v := bursting(tt.idle)
			for at := time.Duration(0); at < tt.run; at += 10 * time.Millisecond {
				clk.Step(10 * time.Millisecond)
				for range 9 { // nine tenths of its ceiling
					if !v.TryAdmit(page) {
						t.Fatalf("held back after %v", at)
					}
				}
			}
			wantCredit(t, v, tt.want)
		})
	}
}

// A full credit is a minute at the burst, of which the first tenth of a second
// may come at once; then the ceiling holds, and nothing is earned at it.
func TestBurstAndItsEnd(t *testing.T) {
	clk, v := bursting(time.Hour)
	if got := atOnce(v, page); got != 300 {
		t.Errorf("%d at once, want a depth of the burst", got)
	}
	wantCredit(t, v, 120000-200)
	if got := during(clk, v, 30*time.Second, 10*time.Millisecond); got != 90000 {
		t.Errorf("%d I/Os in the first half minute, want 90000", got)
	}
	wantCredit(t, v, 120000-200-60000)
	if got := during(clk, v, 29900*time.Millisecond, 10*time.Millisecond); got != 89700 {
		t.Errorf("%d I/Os in the second, want 89700", got)
	}
	wantCredit(t, v, 0)
	for range 10 {
		if got := during(clk, v, time.Second, 10*time.Millisecond); got != 1000 {
			t.Errorf("%d I/Os in a second after the burst, want 1000", got)
		}
	}
	wantCredit(t, v, 0)
}

// A process that stands still for a moment does not make its volumes burst.
func TestNothingIsEarnedInAGapOfTheDepth(t *testing.T) {
	clk, v := bursting(0)
	atOnce(v, page)
	for range 50 {
		if got := during(clk, v, Depth, Depth); got != 100 {
			t.Fatalf("%d I/Os in a tenth of a second, want 100", got)
		}
	}
	wantCredit(t, v, 0)
	clk.Step(Depth + time.Second)
	wantCredit(t, v, 2000)
}

func TestCreditOfChangedValues(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values qos.Values
		want   int64
	}{
		{"less burst, less room", qos.Values{Min: 50, Max: 1000, Burst: 1500}, 30000},
		{"more burst has to be earned", qos.Values{Min: 50, Max: 1000, Burst: 5000}, 120000},
		{"no burst", qos.Values{Min: 50, Max: 3000, Burst: 3000}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, v := bursting(time.Hour)
			v.SetQoS(tt.values)
			wantCredit(t, v, tt.want)
		})
	}
}

// A large I/O is paid for by the credit, but no faster than the burst allows.
func TestLargeIOOfCredit(t *testing.T) {
	clk, v := bursting(time.Hour)
	if !v.TryAdmit(1 << 20) { // 150 I/Os: 100 of the base, 50 of the credit
		t.Fatal("held back")
	}
	wantCredit(t, v, 120000-50)
	if !v.TryAdmit(1<<20) || v.TryAdmit(1<<20) {
		t.Error("the burst's depth is two such I/Os")
	}
	clk.Step(50 * time.Millisecond)
	if !v.TryAdmit(1 << 20) {
		t.Error("the burst earns one in 50 ms")
	}
}

func TestSqueezed(t *testing.T) {
	v := qos.Values{Min: 100, Max: 1100, Burst: 5000}
	for by, want := range map[float64]qos.Values{
		-1: v, 0: v, 0.25: {Min: 100, Max: 850, Burst: 850},
		1: {Min: 100, Max: 100, Burst: 100}, 7: {Min: 100, Max: 100, Burst: 100},
	} {
		if got := Squeezed(v, by); got != want {
			t.Errorf("by %v: %+v, want %+v", by, got, want)
		}
	}
}

func TestHighestValuesDoNotOverflow(t *testing.T) {
	clk := clocktesting.NewFakeClock(time.Unix(0, 0))
	for _, v := range []qos.Values{
		{Min: 1, Max: 1, Burst: highest},
		{Min: 1, Max: 1, Burst: math.MaxInt64}, // taken for the highest
	} {
		v := NewArray(clk, math.MaxInt64).NewVolume(v, time.Hour)
		clk.Step(time.Hour)
		wantCredit(t, v, 60*(highest-1))
		if got := atOnce(v, page); got != highest/10 {
			t.Errorf("%d at once, want a depth of the burst", got)
		}
	}
}

// To wait for the array while nothing is served makes the floor owed, up to a
// second of it; to be idle saves up a depth.
func TestFloorIsOwedToWhoWaits(t *testing.T) {
	for _, tt := range []struct {
		name  string
		waits time.Duration
		want  int64
	}{
		{"a depth", Depth, 100},
		{"longer", 400 * time.Millisecond, 400},
		{"for long", time.Minute, 1000},
	} {
		a := newAllowance(qos.Values{Min: 1000, Max: 5000, Burst: 5000}, 0, 0)
		a.floor.level = 0
		a.earn(tt.waits, priceOf(100), true)
		a.earn(tt.waits+time.Minute, priceOf(100), false)
		if got := a.floor.level / priceOf(100); got != tt.want {
			t.Errorf("%s: %d I/Os, want %d", tt.name, got, tt.want)
		}
		a.floor.level = 0
		a.earn(time.Hour, priceOf(100), false)
		if got := a.floor.level / priceOf(100); got != 100 {
			t.Errorf("idle: %d I/Os, want 100", got)
		}
	}
}
