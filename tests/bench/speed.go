package main

import (
	"context"
	"fmt"

	"github.com/san-csi/san-csi/tests/bench/fio"
)

// speed puts the cells' loads on both targets, in turns: round by round, cell
// by cell, one target after the other, and the other first in the next round.
func (b *bench) speed(ctx context.Context) error {
	cells, err := cells(b.cells)
	if err != nil {
		return err
	}
	p, err := b.contenders(ctx)
	if err != nil {
		return err
	}
	defer p.kill()
	if err := b.fill(ctx, p.array, p.peer); err != nil {
		return err
	}
	results := make([]CellResult, len(cells))
	for round := range b.rounds {
		for i, cell := range cells {
			r := &results[i]
			r.Cell = cell
			err := inTurns(round,
				func() error { return b.sample(ctx, cell, p.array, &r.Array) },
				func() error { return b.sample(ctx, cell, p.peer, &r.Peer) })
			if err != nil {
				return err
			}
		}
		say("round %d of %d", round+1, b.rounds)
	}
	b.report.Cells = results
	return nil
}

// inTurns makes two measurements, in an order that changes with the round.
func inTurns(round int, first, second func() error) error {
	if round%2 == 1 {
		first, second = second, first
	}
	if err := first(); err != nil {
		return err
	}
	return second()
}

// sample measures a cell on one target.
func (b *bench) sample(ctx context.Context, cell Cell, c contender, s *Samples) error {
	before, err := c.CPU()
	if err != nil {
		return err
	}
	peak := watchPeak(c.RSS)
	r, err := b.fio.Run(ctx, fio.Load{
		LUNs: c.luns[:cell.LUNs], Kind: cell.Kind, Block: cell.Block, Depth: cell.Depth, Span: span, Time: b.each,
	})
	s.RSS = max(s.RSS, peak())
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	after, err := c.CPU()
	if err != nil {
		return err
	}
	s.IOPS = append(s.IOPS, r.IOPS)
	s.CPU = append(s.CPU, float64((after-before).Nanoseconds())/1000/float64(r.Ops))
	s.P99 = append(s.P99, float64(r.P99.Microseconds()))
	return nil
}
