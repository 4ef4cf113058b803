package sched

import (
	"time"

	"github.com/san-csi/san-csi/pkg/qos"
)

const (
	// BurstTime is how much of its burst a volume can save up.
	BurstTime = 60 * time.Second
	// grace is how much of its floor is owed to a volume that waits: a process
	// that gets no CPU for longer than Depth serves it late, but serves it.
	grace = time.Second
)

// allowance is what a volume's own values let it do. In any time T that is at
// most Burst × (T + Depth), and without credit Max × (T + Depth); or one I/O
// that alone costs more and has been saved up for.
type allowance struct {
	floor bucket // Min: what is due to it whatever the others do
	base  bucket // Max
	peak  bucket // Burst
	// credit is what may be spent over Max, at most BurstTime × (Burst - Max).
	credit int64
	// below: it runs below its ceiling and earns credit. That ends when the base
	// is empty and begins again when it is full. In between it takes what it gets.
	below bool
	at    time.Duration // of the last look
	// withheld is the time for which it got nothing of its ceiling though it
	// wanted to: what was earned while it waited for others and found no room.
	withheld time.Duration
}

// newAllowance is that of a volume which did nothing for a while.
func newAllowance(v qos.Values, at, idle time.Duration) allowance {
	a := allowance{at: at, below: true}
	a.set(v)
	for _, b := range []*bucket{&a.floor, &a.base, &a.peak} {
		b.fill(Depth, 0)
	}
	a.credit = a.burst(min(idle, BurstTime))
	return a
}

// Credit is what a volume that did nothing for so long may do beyond Max, in
// I/Os of 4 KiB.
func Credit(v qos.Values, idle time.Duration) int64 {
	a := newAllowance(v, 0, idle)
	return a.credit / priceOf(100)
}

// set puts other values in force; credit is kept as far as they allow it.
func (a *allowance) set(v qos.Values) {
	a.floor.set(v.Min)
	a.base.set(v.Max)
	a.peak.set(v.Burst)
	a.credit = min(a.credit, a.burst(BurstTime))
}

// burst is the credit that d earns.
func (a *allowance) burst(d time.Duration) int64 {
	return earned(max(0, a.peak.iops-a.base.iops), d)
}

// earn adds what the time since the last look has earned. price is that of the
// I/O in front; held says that it waits for others, not for its own ceiling.
func (a *allowance) earn(now time.Duration, price int64, held bool) {
	d := min(max(0, now-a.at), BurstTime)
	a.at = max(a.at, now)
	owed := a.floor.level
	if held {
		owed = earned(a.floor.iops, grace)
	}
	a.floor.fill(d, max(price, owed))
	a.peak.fill(d, price)
	spare := min(d, time.Duration(a.base.fill(d, price)/earned(a.base.iops, 1)))
	if held {
		a.withheld += spare
	}
	if a.below {
		spare = d
	}
	a.below = a.below || spare > 0
	a.credit = min(a.credit+a.burst(spare), a.burst(BurstTime))
}

// until is how long an I/O of that price has to wait for its ceiling.
func (a *allowance) until(price int64) time.Duration {
	return max(a.peak.until(price), a.base.until(price-a.credit))
}

// pay takes a price that is there: of the base first, the rest of the credit.
func (a *allowance) pay(price int64) {
	a.peak.level -= price
	a.base.level -= price
	if a.base.level < 0 {
		a.credit += a.base.level
		a.base.level = 0
		a.below = false
	}
}
