package main

import (
	"context"
	"math"
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
	victimDepth    = 32
	greedyDepth    = 32

	aloneFor     = 8 * time.Second
	crowdedFor   = 8 * time.Second
	protectedFor = 22 * time.Second
)

func (b *bench) floor(ctx context.Context) error {
	stall, err := calmly(ctx, b.floorOnce)
	if err != nil {
		return err
	}
	b.report.Floor.Stall = stall.Milliseconds()
	return nil
}

func (b *bench) floorOnce(ctx context.Context) error {
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
		ends, err = b.fio.Run(ctx, reads(victim, victimDepth, aloneFor+crowdedFor+protectedFor, began))
		return err
	})
	g.Go(func() (err error) {
		if err := pause(ctx, aloneFor); err != nil {
			return err
		}
		neighbours, err = b.fio.Run(ctx, reads(greedy, greedyDepth, crowdedFor+protectedFor, began))
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
func story(victim series, neighbours [][]time.Duration, protected time.Duration) *FloorResult {
	from, to := protected+time.Second, victim.end()
	came := series(neighbours[0])[0]
	r := &FloorResult{
		Capability: capability, Floor: victimFloor, Before: lowestFloor, Ceiling: victimCeiling, NeighbourFloor: neighbourFloor,
		CameAt: came.Seconds(), SetAt: protected.Seconds(),
		Alone:   victim.rate(victim[0]+settle, came),
		Crowded: victim.rate(came+settle, protected),
		Seconds: victim.seconds(from, to),
		Victim:  victim.seconds(0, to),
	}
	r.Worst10 = math.Inf(1)
	for at := from; at+window <= to; at += time.Second {
		r.Worst10 = min(r.Worst10, victim.rate(at, at+window))
	}
	for _, ends := range neighbours {
		r.Neighbours = append(r.Neighbours, series(ends).seconds(0, to))
	}
	return r
}
