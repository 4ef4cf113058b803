package sched

import (
	"sync/atomic"
	"time"
)

// gate is what the array as a whole can do, in one word: the time at which all
// that was let through is paid for. It may lie Depth in the past, which is what
// can be saved up, and for floors Depth in the future. So in any time T at most
// iops × (T + 2 × Depth) is let through, and the I/O that reaches it.
type gate struct {
	iops int64
	paid atomic.Int64 // in ticks since the scheduler began
}

// tick is a sixteenth of a nanosecond: eighteen years fit in, and rounding up
// costs less than a hundred thousandth of a capability of 100,000 IOPS.
const (
	ticks       = 16 // a nanosecond
	ticksPerSec = ticks * int64(time.Second)
)

// newGate is the gate of an array that did nothing for a while.
func newGate(iops int64) *gate {
	g := &gate{iops: min(max(iops, 1), 1000*highest)}
	g.paid.Store(-ticks * int64(Depth))
	return g
}

// pass takes the cost of I/Os if what went before is paid for, or will be after
// debt. Many may ask at once.
func (g *gate) pass(now time.Duration, cost int64, debt time.Duration) bool {
	at := ticks * int64(now)
	for {
		paid := g.paid.Load()
		if paid > at+ticks*int64(debt) {
			return false
		}
		next := max(paid, at-ticks*int64(Depth)) + g.takes(cost)
		if g.paid.CompareAndSwap(paid, next) {
			return true
		}
	}
}

// until is how long it takes before pass can be true.
func (g *gate) until(now, debt time.Duration) time.Duration {
	left := g.paid.Load() - ticks*int64(now+debt)
	return time.Duration((max(0, left) + ticks - 1) / ticks)
}

// takes is the time, in ticks, that the array needs for a cost.
func (g *gate) takes(cost int64) int64 {
	return (cost*(ticksPerSec/100) + g.iops - 1) / g.iops
}
