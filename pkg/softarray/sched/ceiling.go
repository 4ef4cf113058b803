// Package sched holds volumes to their quality of service.
package sched

import (
	"container/list"
	"context"
	"math"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/san-csi/san-csi/pkg/qos"
)

// Depth is how much of its limit a volume may have saved up: enough that a
// process that gets no CPU for that long loses no I/O slots.
const Depth = 100 * time.Millisecond

// Ceiling holds a volume to its IOPS. In any time T it lets through at most
// limit × (T + Depth), or one I/O that alone costs more than limit × Depth and
// has been paid for in full before it starts. I/Os are counted by the array's
// cost curve (4 KiB = 1 I/O) and let through in the order in which they came.
type Ceiling struct {
	clock clock.Clock
	curve qos.Curve

	mu    sync.Mutex
	limit int64 // IOPS of 4 KiB; 0 or less: no ceiling
	// credit is what may be spent, as of the time at. Its unit is a hundredth of
	// an I/O times 1e-9, so that a nanosecond earns exactly 100 × limit of it
	// and no rounding ever gains or loses an I/O.
	credit  int64
	at      time.Time
	waiting list.List // of *waiter, the oldest in front
}

// waiter is a blocked Admit. The one in front is told through turn to look
// (again) whether it may go.
type waiter struct {
	cost int64
	turn chan struct{}
}

const creditPerCost = int64(time.Second)

// NewCeiling makes a ceiling of iops IOPS of 4 KiB, with full credit. Without
// a positive iops there is no ceiling.
func NewCeiling(c clock.Clock, iops int64) *Ceiling {
	l := &Ceiling{clock: c, curve: qos.ElementCurve(), limit: iops, at: c.Now()}
	l.credit = l.earned(Depth)
	return l
}

// SetLimit changes the ceiling; the first waiter is looked at again at once.
func (l *Ceiling) SetLimit(iops int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accrue(l.frontCost())
	l.limit = iops
	l.accrue(l.frontCost())
	l.nudge()
}

// TryAdmit lets an I/O of n bytes through if it need not wait. It never passes
// one that is waiting.
func (l *Ceiling) TryAdmit(n int) bool {
	cost := l.curve.Cost(n)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting.Len() == 0 && l.take(cost)
}

// Admit returns when an I/O of n bytes may run, or with the context's error.
func (l *Ceiling) Admit(ctx context.Context, n int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &waiter{cost: l.curve.Cost(n)}
	l.mu.Lock()
	if l.waiting.Len() == 0 && l.take(w.cost) {
		l.mu.Unlock()
		return nil
	}
	w.turn = make(chan struct{}, 1)
	place := l.waiting.PushBack(w)
	l.mu.Unlock()
	return l.wait(ctx, w, place)
}

// wait blocks until w is in front and has its credit.
func (l *Ceiling) wait(ctx context.Context, w *waiter, place *list.Element) error {
	var timer clock.Timer
	var due <-chan time.Time
	for {
		left, ok := l.advance(w, place)
		if ok {
			return nil
		}
		if left > 0 {
			timer = l.restart(timer, left)
			due = timer.C()
		}
		select {
		case <-due:
		case <-w.turn:
		case <-ctx.Done():
			stop(timer)
			l.leave(place)
			return ctx.Err()
		}
		stop(timer)
		due = nil
	}
}

// restart returns a timer of its own for each wait: a fired one cannot be
// told from a stale one on every clock.
func (l *Ceiling) restart(old clock.Timer, d time.Duration) clock.Timer {
	stop(old)
	return l.clock.NewTimer(d)
}

func stop(t clock.Timer) {
	if t != nil {
		t.Stop()
	}
}

// advance lets w go if it is in front and has its credit. Otherwise it says how
// long that takes, 0 where w must be told first.
func (l *Ceiling) advance(w *waiter, place *list.Element) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting.Front() != place {
		return 0, false
	}
	if !l.take(w.cost) {
		return l.until(w.cost), false
	}
	l.waiting.Remove(place)
	l.nudge()
	return 0, true
}

// leave takes a waiter that gave up out of the queue.
func (l *Ceiling) leave(place *list.Element) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting.Remove(place)
	l.nudge()
}

// nudge tells the front waiter to look. A nudge that is pending is enough.
func (l *Ceiling) nudge() {
	front := l.waiting.Front()
	if front == nil {
		return
	}
	select {
	case front.Value.(*waiter).turn <- struct{}{}:
	default:
	}
}

// take spends cost if there is credit for it.
func (l *Ceiling) take(cost int64) bool {
	if l.limit <= 0 {
		return true
	}
	l.accrue(cost)
	price := priceOf(cost)
	if l.credit < price {
		return false
	}
	l.credit -= price
	return true
}

// accrue adds what the time since the last look has earned, up to Depth, or up
// to the price of the I/O in front where that is more.
func (l *Ceiling) accrue(cost int64) {
	now := l.clock.Now()
	elapsed := max(now.Sub(l.at), 0)
	l.at = now
	if l.limit <= 0 {
		l.credit = 0
		return
	}
	most := max(l.earned(Depth), priceOf(cost))
	l.credit = min(most, saturate(l.credit, l.earned(elapsed)))
}

func (l *Ceiling) frontCost() int64 {
	if front := l.waiting.Front(); front != nil {
		return front.Value.(*waiter).cost
	}
	return 0
}

// until is how long it takes to earn the rest of cost, rounded up.
func (l *Ceiling) until(cost int64) time.Duration {
	rate := l.earned(1)
	missing := priceOf(cost) - l.credit
	return time.Duration((missing + rate - 1) / rate)
}

// earned is the credit that d earns, at most the largest int64.
func (l *Ceiling) earned(d time.Duration) int64 { return times(max(l.limit, 0)*100, int64(d)) }

func priceOf(cost int64) int64 { return times(cost, creditPerCost) }

func times(a, b int64) int64 {
	if a > 0 && b > math.MaxInt64/a {
		return math.MaxInt64
	}
	return a * b
}

func saturate(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
