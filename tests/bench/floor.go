package main

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/tests/bench/fio"
	"github.com/san-csi/san-csi/tests/bench/target"
)

// The neighbours' story: an array that declares capability IOPS; one volume,
// alone until eight greedy ones come; then its floor is set. What all floors
// together promise is near the capability, so that there is little beyond the
// floor to be had.
const (
	capability     = 4000
	victimCeiling  = 2000
	victimFloor    = 1000
	lowestFloor    = 50
	neighbourFloor = 350
	victimDepth    = 16
	greedyDepth    = 32

	aloneFor     = 8 * time.Second
	crowdedFor   = 8 * time.Second
	protectedFor = 22 * time.Second
)

func (b *bench) floor(ctx context.Context) error {
	a, err := b.startArray(ctx, capability)
	if err != nil {
		return err
	}
	defer a.Kill()
	victim, err := a.Create(ctx, 1, element.QoS{MinIOPS: lowestFloor, MaxIOPS: victimCeiling, BurstIOPS: victimCeiling})
	if err != nil {
		return err
	}
	greedy, err := a.Create(ctx, maxLUNs, element.QoS{MinIOPS: neighbourFloor, MaxIOPS: target.Unlimited, BurstIOPS: target.Unlimited})
	if err != nil {
		return err
	}
	began := time.Now()
	var ends, neighbours fio.Result
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		ends, err = b.fio.Run(ctx, reads(victim, victimDepth, aloneFor+crowdedFor+protectedFor))
		return err
	})
	g.Go(func() (err error) {
		if err := pause(ctx, aloneFor); err != nil {
			return err
		}
		neighbours, err = b.fio.Run(ctx, reads(greedy, greedyDepth, crowdedFor+protectedFor))
		return err
	})
	var protected time.Duration
	g.Go(func() error {
		if err := pause(ctx, aloneFor+crowdedFor); err != nil {
			return err
		}
		err := a.SetQoS(ctx, victim[0].ID, element.QoS{MinIOPS: victimFloor, MaxIOPS: victimCeiling, BurstIOPS: victimCeiling})
		protected = time.Since(began)
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	b.report.Floor = story(ends.Ends[0], neighbours.Ends, protected)
	return nil
}

// story tells the run in figures; protected is when the floor was in force.
// The series of the neighbours begin when these came.
func story(victim series, neighbours [][]time.Duration, protected time.Duration) *FloorResult {
	from := protected + time.Second
	to := aloneFor + crowdedFor + protectedFor
	r := &FloorResult{
		Capability: capability, Floor: victimFloor, Before: lowestFloor, Ceiling: victimCeiling, NeighbourFloor: neighbourFloor,
		CameAt: aloneFor.Seconds(), SetAt: protected.Seconds(),
		Alone:   victim.rate(settle, aloneFor),
		Crowded: victim.rate(aloneFor+settle, protected),
		Seconds: victim.seconds(from, to),
		Victim:  victim.seconds(0, to),
	}
	r.Worst10 = -1
	for at := from; at+window <= to; at += time.Second {
		if rate := victim.rate(at, at+window); r.Worst10 < 0 || rate < r.Worst10 {
			r.Worst10 = rate
		}
	}
	for _, ends := range neighbours {
		counts := make([]int, int(aloneFor/time.Second))
		r.Neighbours = append(r.Neighbours, append(counts, series(ends).seconds(0, to-aloneFor)...))
	}
	return r
}
