package placement

import (
	"cmp"
	"fmt"
	"math"

	"github.com/san-csi/san-csi/pkg/san"
)

// Load is what volumes take of an array.
type Load struct {
	IOPS  int64 // their floors, of 4 KiB
	Bytes int64 // their sizes
}

// Larger is the larger of both, member by member.
func (a Load) Larger(b Load) Load {
	return Load{IOPS: max(a.IOPS, b.IOPS), Bytes: max(a.Bytes, b.Bytes)}
}

func (a Load) plus(b Load) Load  { return Load{IOPS: a.IOPS + b.IOPS, Bytes: a.Bytes + b.Bytes} }
func (a Load) minus(b Load) Load { return Load{IOPS: a.IOPS - b.IOPS, Bytes: a.Bytes - b.Bytes} }

// loadOf is what a volume takes.
func loadOf(v *san.Volume) Load { return Load{IOPS: v.QoS.Min, Bytes: v.SizeBytes} }

// Budget says how much of an array may be promised.
type Budget struct {
	CapacityIOPS    int64   // this cluster's share of the array, IOPS of 4 KiB; 0 = the whole, as the array tells it
	IOPSOvercommit  float64 // floors promised per IOPS of that; 0 = 1.0
	BytesOvercommit float64 // bytes promised per byte of blocks; 0 = the array's own bound
}

// bound is the most that may be promised of an array of that capacity.
func (b Budget) bound(c san.Capacity) Load {
	bound := Load{
		IOPS:  times(cmp.Or(b.CapacityIOPS, c.MaxIOPS), cmp.Or(b.IOPSOvercommit, 1)),
		Bytes: c.BoundBytes,
	}
	if b.BytesOvercommit > 0 {
		bound.Bytes = min(bound.Bytes, times(c.BlockBytes, b.BytesOvercommit))
	}
	return bound
}

// times is n x f, at most the largest int64.
func times(n int64, f float64) int64 {
	if f == 1 {
		return n // a float64 does not hold every int64
	}
	product := f * float64(n)
	if product >= math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(product)
}

// admit refuses a growth from before to after that passes the bound. What does
// not grow is never refused, also where others have passed the bound already.
func admit(array string, before, after, bound Load) error {
	asked := after.minus(before)
	if asked.IOPS > 0 && after.IOPS > bound.IOPS {
		return fmt.Errorf("array %q: %d IOPS of floor asked for, %d of %d IOPS are promised: %w",
			array, asked.IOPS, before.IOPS, bound.IOPS, san.ErrExhausted)
	}
	if asked.Bytes > 0 && after.Bytes > bound.Bytes {
		return fmt.Errorf("array %q: %d bytes asked for, %d of %d bytes are promised: %w",
			array, asked.Bytes, before.Bytes, bound.Bytes, san.ErrExhausted)
	}
	return nil
}
