package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/tests/bench/fio"
	"github.com/san-csi/san-csi/tests/bench/initiator"
	"github.com/san-csi/san-csi/tests/bench/target"
)

// span is how much of each LUN is written and read, in bytes; all of it is
// written before the comparison, so that no target reads holes.
const span = 64 << 20

// contender is a target of the comparison.
type contender struct {
	name string
	luns []target.LUN
	cpu  func() (time.Duration, error)
	rss  func() (int64, error)
}

// speed puts the cells' loads on both targets, in turns: round by round, cell
// by cell, one target after the other, and the other first in the next round.
func (b *bench) speed(ctx context.Context) error {
	cells, err := cells(b.cells)
	if err != nil {
		return err
	}
	array, peer, stop, err := b.contenders(ctx)
	if err != nil {
		return err
	}
	defer stop()
	if err := b.fill(ctx, array, peer); err != nil {
		return err
	}
	results := make([]CellResult, len(cells))
	for round := range b.rounds {
		for i, cell := range cells {
			if err := b.turns(ctx, round, cell, &results[i], array, peer); err != nil {
				return err
			}
		}
		say("round %d of %d", round+1, b.rounds)
	}
	b.report.Cells = results
	return nil
}

func (b *bench) turns(ctx context.Context, round int, cell Cell, result *CellResult, array, peer *contender) error {
	result.Cell = cell
	first, second := &result.Array, &result.Peer
	one, other := array, peer
	if round%2 == 1 {
		first, second, one, other = second, first, other, one
	}
	return errors.Join(b.sample(ctx, cell, one, first), b.sample(ctx, cell, other, second))
}

// sample measures a cell on one target.
func (b *bench) sample(ctx context.Context, cell Cell, c *contender, s *Samples) error {
	before, err := c.cpu()
	if err != nil {
		return err
	}
	watch := watchPeak(c.rss)
	r, err := b.fio.Run(ctx, fio.Load{
		LUNs: c.luns[:cell.LUNs], Kind: cell.Kind, Block: cell.Block, Depth: cell.Depth, Span: span, Time: b.each,
	})
	peak := watch()
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	after, err := c.cpu()
	if err != nil {
		return err
	}
	s.IOPS = append(s.IOPS, r.IOPS)
	s.CPU = append(s.CPU, float64((after-before).Nanoseconds())/1000/float64(r.Ops))
	s.P99 = append(s.P99, float64(r.P99.Microseconds()))
	s.RSS = max(s.RSS, peak)
	return nil
}

// contenders starts both targets on the medium and makes sure that their write
// caches are set alike.
func (b *bench) contenders(ctx context.Context) (array, peer *contender, stop func(), err error) {
	a, err := b.startArray(ctx, target.Unlimited*maxLUNs)
	if err != nil {
		return nil, nil, nil, err
	}
	dir, err := b.scratchDir("tgtd")
	if err != nil {
		a.Kill()
		return nil, nil, nil, err
	}
	programs := target.Programs{Tgtd: b.programs.tgtd, Tgtadm: b.programs.tgtadm, Env: b.programs.env}
	t, err := target.StartTgtd(ctx, programs, dir, maxLUNs, target.LUNSize)
	if err != nil {
		a.Kill()
		return nil, nil, nil, err
	}
	stop = func() { a.Kill(); t.Kill() }
	volumes, err := a.Create(ctx, maxLUNs, element.QoS{MinIOPS: 50, MaxIOPS: target.Unlimited, BurstIOPS: target.Unlimited})
	if err != nil {
		stop()
		return nil, nil, nil, err
	}
	array = &contender{name: "san-array", luns: luns(volumes), cpu: a.CPU, rss: a.RSS}
	peer = &contender{name: "tgtd", luns: t.LUNs, cpu: t.CPU, rss: t.RSS}
	if err := sameCache(array, peer); err != nil {
		stop()
		return nil, nil, nil, err
	}
	return array, peer, stop, nil
}

func (b *bench) startArray(ctx context.Context, capability int64) (*target.Array, error) {
	dir, err := b.scratchDir("array")
	if err != nil {
		return nil, err
	}
	return target.StartArray(ctx, b.binary, dir, capability, initiatorName)
}

func luns(volumes []target.Volume) []target.LUN {
	var list []target.LUN
	for _, v := range volumes {
		list = append(list, v.LUN)
	}
	return list
}

// fill writes what is read later.
func (b *bench) fill(ctx context.Context, contenders ...*contender) error {
	for _, c := range contenders {
		if _, err := b.fio.Run(ctx, fio.Load{LUNs: c.luns, Kind: fio.Write, Block: 128 << 10, Depth: 8, Span: span}); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// sameCache holds both to a write cache that is enabled, as their LUNs tell it.
func sameCache(contenders ...*contender) error {
	for _, c := range contenders {
		lun := c.luns[0]
		s, err := initiator.Login(lun.Portal, initiatorName, lun.IQN, lun.Number, 1)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		on, err := s.WriteCache()
		if err := errors.Join(err, s.Logout()); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if !on {
			return fmt.Errorf("%s has its write cache off: the comparison would not be fair", c.name)
		}
	}
	return nil
}

// watchPeak follows a figure until the function that it returns is called,
// which gives the highest that was seen.
func watchPeak(read func() (int64, error)) (peak func() int64) {
	stop, result := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		var most int64
		for {
			select {
			case <-tick.C:
				if v, err := read(); err == nil {
					most = max(most, v)
				}
			case <-stop:
				result <- most
				return
			}
		}
	}()
	return func() int64 { close(stop); return <-result }
}
