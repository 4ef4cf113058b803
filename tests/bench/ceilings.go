package main

import (
	"context"
	"time"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/tests/bench/fio"
	"github.com/san-csi/san-csi/tests/bench/target"
)

// settle is left out at the begin of a series: a volume that was idle may
// spend what its ceiling saved up.
const settle = 1500 * time.Millisecond

// window is how long a ceiling or a floor is looked at.
const window = 10 * time.Second

// ceilings measures volumes with one ceiling each, one after the other.
func (b *bench) ceilings(ctx context.Context) error {
	a, err := b.startArray(ctx, target.Unlimited)
	if err != nil {
		return err
	}
	defer a.Kill()
	for _, depth := range []int{1, 32} {
		unlimited, _, err := b.ceiling(ctx, a, target.Unlimited, depth, 2*time.Second)
		if err != nil {
			return err
		}
		for _, limit := range []int64{100, 500, 2000, 5000} {
			r := CeilingResult{Limit: limit, Depth: depth, Unlimited: unlimited}
			stall, err := calmly(ctx, func(ctx context.Context) (err error) {
				r.IOPS, r.Busiest, err = b.ceiling(ctx, a, limit, depth, window)
				return err
			})
			if err != nil {
				return err
			}
			r.Stall = stall.Milliseconds()
			b.report.Ceilings = append(b.report.Ceilings, r)
		}
	}
	return nil
}

// ceiling runs random reads of 4 KiB and looks at d of them, from settle after
// the first on.
func (b *bench) ceiling(ctx context.Context, a *target.Array, limit int64, depth int, d time.Duration) (rate float64, busiest int, err error) {
	volumes, err := a.Create(ctx, 1, element.QoS{MinIOPS: lowestFloor, MaxIOPS: limit, BurstIOPS: limit})
	if err != nil {
		return 0, 0, err
	}
	r, err := b.fio.Run(ctx, reads(volumes, depth, settle+d+time.Second, time.Now()))
	if err != nil {
		return 0, 0, err
	}
	ends := series(r.Ends[0])
	from := ends[0] + settle
	return ends.rate(from, from+d), ends.busiest(from, from+d), a.Delete(ctx, volumes...)
}

// reads are random reads of 4 KiB with a log.
func reads(volumes []target.Volume, depth int, d time.Duration, since time.Time) fio.Load {
	return fio.Load{
		LUNs: luns(volumes), Kind: fio.RandomRead, Block: 4 << 10, Depth: depth, Span: span, Time: d, Since: since,
	}
}
