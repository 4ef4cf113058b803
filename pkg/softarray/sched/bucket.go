package sched

import (
	"time"

	"github.com/san-csi/san-csi/pkg/qos"
)

// Depth is how much of a rate may be saved up: enough that a process that gets
// no CPU for that long loses no I/O.
const Depth = 100 * time.Millisecond

// highest is the most IOPS that a rate is taken for: more than twice what an
// Element volume may have. It keeps two minutes' worth inside an int64.
const highest = 500_000

// bucket fills at a rate, up to what Depth earns. Its unit is a hundredth of an
// I/O times 1e-9, so that a nanosecond earns exactly 100 × iops of it and no
// rounding ever gains or loses an I/O.
type bucket struct {
	iops  int64
	level int64
}

func earned(iops int64, d time.Duration) int64 { return 100 * iops * int64(d) }

// priceOf is what an I/O of that cost by the curve takes from a bucket.
func priceOf(cost int64) int64 { return cost * int64(time.Second) }

// set changes the rate. A full bucket of the old one is not more than a full
// one of the new.
func (b *bucket) set(iops int64) {
	b.iops = min(max(iops, 1), highest)
	b.level = min(b.level, earned(b.iops, Depth))
}

// fill adds what d earns and returns what found no room. The room is the price
// of the I/O that is looked at where that is more than Depth: it is saved up for.
func (b *bucket) fill(d time.Duration, price int64) (over int64) {
	b.level += earned(b.iops, d)
	over = max(0, b.level-max(earned(b.iops, Depth), price))
	b.level -= over
	return over
}

// until is how long it takes to earn what is missing, rounded up.
func (b *bucket) until(price int64) time.Duration {
	rate := earned(b.iops, 1)
	return time.Duration((max(0, price-b.level) + rate - 1) / rate)
}

// Squeezed are the values of a volume on an array that runs full: the ceiling
// is moved towards the floor, all the way where by is 1, and there is no burst.
func Squeezed(v qos.Values, by float64) qos.Values {
	if by <= 0 {
		return v
	}
	v.Max -= int64(min(by, 1) * float64(v.Max-v.Min))
	v.Burst = v.Max
	return v
}
