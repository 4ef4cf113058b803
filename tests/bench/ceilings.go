package main

import (
	"context"
	"time"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/tests/bench/fio"
	"github.com/san-csi/san-csi/tests/bench/target"
)

// settle is left out at the begin of a series: a volume that was idle may
// spend what its ceiling saved up, and fio has to log in.
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
		unlimited, err := b.ceiling(ctx, a, target.Unlimited, depth, 2*time.Second)
		if err != nil {
			return err
		}
		for _, limit := range []int64{100, 500, 2000, 5000} {
			ends, err := b.ceiling(ctx, a, limit, depth, window)
			if err != nil {
				return err
			}
			b.report.Ceilings = append(b.report.Ceilings, CeilingResult{
				Limit: limit, Depth: depth, Unlimited: unlimited.rate(settle, settle+2*time.Second),
				IOPS: ends.rate(settle, settle+window), Busiest: ends.busiest(settle, settle+window),
			})
		}
	}
	return nil
}

// ceiling runs random reads of 4 KiB for d beyond the settling.
func (b *bench) ceiling(ctx context.Context, a *target.Array, limit int64, depth int, d time.Duration) (series, error) {
	volumes, err := a.Create(ctx, 1, element.QoS{MinIOPS: 50, MaxIOPS: limit, BurstIOPS: limit})
	if err != nil {
		return nil, err
	}
	r, err := b.fio.Run(ctx, reads(volumes, depth, settle+d+time.Second))
	if err != nil {
		return nil, err
	}
	return r.Ends[0], a.Delete(ctx, volumes...)
}

// reads are random reads of 4 KiB with a log.
func reads(volumes []target.Volume, depth int, d time.Duration) fio.Load {
	return fio.Load{
		LUNs: luns(volumes), Kind: fio.RandomRead, Block: 4 << 10, Depth: depth, Span: span, Time: d, Log: true,
	}
}
