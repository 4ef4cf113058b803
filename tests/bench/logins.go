package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/san-csi/san-csi/tests/bench/initiator"
	"github.com/san-csi/san-csi/tests/bench/target"
)

// logins counts how often one initiator can log in and out again, in turns.
func (b *bench) logins(ctx context.Context) error {
	p, err := b.contenders(ctx)
	if err != nil {
		return err
	}
	defer p.kill()
	result := &LoginResult{}
	rate := func(c contender, into *[]float64) func() error {
		return func() error {
			rate, err := loginRate(ctx, c.luns[0], b.each)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			*into = append(*into, rate)
			return nil
		}
	}
	for round := range b.rounds {
		if err := inTurns(round, rate(p.array, &result.Array), rate(p.peer, &result.Peer)); err != nil {
			return err
		}
	}
	b.report.Logins = result
	return nil
}

func loginRate(ctx context.Context, lun target.LUN, d time.Duration) (float64, error) {
	began := time.Now()
	for n := 0; ; n++ {
		elapsed := time.Since(began)
		if elapsed >= d {
			return float64(n) / elapsed.Seconds(), nil
		}
		s, err := initiator.Login(lun.Portal, initiatorName, lun.IQN, lun.Number, 1)
		if err == nil {
			err = s.Logout()
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return 0, err
		}
	}
}
