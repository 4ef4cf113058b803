package main

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/tests/bench/fio"
)

// A volume that was idle for a while bursts, then falls back to its ceiling.
const (
	burstMax   = 1000
	burstBurst = 3000
	burstIdle  = 6 * time.Second
	burstLoad  = 25 * time.Second
)

// burst lets a volume earn credit while it is idle, and loads it until well
// after the credit is gone.
func (b *bench) burst(ctx context.Context) error {
	stall, err := calmly(ctx, b.burstOnce)
	if err != nil {
		return err
	}
	b.report.Burst.Stall = stall.Milliseconds()
	return nil
}

func (b *bench) burstOnce(ctx context.Context) error {
	a, err := b.startArray(ctx, 100_000)
	if err != nil {
		return err
	}
	defer a.Kill()
	volumes, err := a.Create(ctx, 1, element.QoS{MinIOPS: lowestFloor, MaxIOPS: burstMax, BurstIOPS: burstBurst})
	if err != nil {
		return err
	}
	if err := pause(ctx, burstIdle); err != nil {
		return err
	}
	r, err := b.fio.Run(ctx, reads(volumes, deep, burstLoad, time.Now()))
	if err != nil {
		return err
	}
	b.report.Burst = fallBack(r.Ends[0])
	return nil
}

// fallBack finds the end of a burst: the first second that is nearer to the
// ceiling than to the burst.
func fallBack(ends series) *BurstResult {
	began, end := ends[0], ends.end()
	r := &BurstResult{Max: burstMax, Burst: burstBurst, Idle: burstIdle.Seconds(), Seconds: ends.seconds(began, end)}
	for r.Lasted < len(r.Seconds) && r.Seconds[r.Lasted] > (burstMax+burstBurst)/2 {
		r.Lasted++
	}
	gone := began + time.Duration(r.Lasted+1)*time.Second
	if r.Lasted < 2 || gone+window > end {
		return r // there was none, or it has not ended
	}
	r.During = ends.rate(began, began+time.Duration(r.Lasted-1)*time.Second)
	r.After, r.Busiest = ends.rate(gone, gone+window), ends.busiest(gone, gone+window)
	return r
}

// Depth at which the ceiling and not the latency holds a volume back.
const deep = 32

// The change of a ceiling under load: up, and down again.
const (
	changeFrom = 1000
	changeUp   = 3000
	changeDown = 500
	changeAt   = 6 * time.Second // after the begin, and after the first change
)

func (b *bench) change(ctx context.Context) error {
	stall, err := calmly(ctx, b.changeOnce)
	if err != nil {
		return err
	}
	b.report.Change.Stall = stall.Milliseconds()
	return nil
}

func (b *bench) changeOnce(ctx context.Context) error {
	a, err := b.startArray(ctx, 100_000)
	if err != nil {
		return err
	}
	defer a.Kill()
	volumes, err := a.Create(ctx, 1, element.QoS{MinIOPS: lowestFloor, MaxIOPS: changeFrom, BurstIOPS: changeFrom})
	if err != nil {
		return err
	}
	began := time.Now()
	var result fio.Result
	var at []time.Duration
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		result, err = b.fio.Run(ctx, reads(volumes, deep, 3*changeAt, began))
		return err
	})
	g.Go(func() error {
		for _, limit := range []int64{changeUp, changeDown} {
			if err := pause(ctx, changeAt); err != nil {
				return err
			}
			if err := a.SetQoS(ctx, volumes[0].ID, element.QoS{MinIOPS: lowestFloor, MaxIOPS: limit, BurstIOPS: limit}); err != nil {
				return err
			}
			at = append(at, time.Since(began))
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return err
	}
	ends := series(result.Ends[0])
	b.report.Change = &ChangeResult{
		Limits:  []int64{changeFrom, changeUp, changeDown},
		IOPS:    []float64{ends.rate(ends[0]+settle, at[0]), ends.rate(at[0]+time.Second, at[1]), ends.rate(at[1]+time.Second, ends.end())},
		Seconds: ends.seconds(0, ends.end()),
	}
	return nil
}
