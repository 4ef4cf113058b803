package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/tests/bench/initiator"
	"github.com/san-csi/san-csi/tests/bench/target"
)

// logins counts how often one initiator can log in and out again, in turns.
func (b *bench) logins(ctx context.Context) error {
	array, peer, stop, err := b.contenders(ctx)
	if err != nil {
		return err
	}
	defer stop()
	result := &LoginResult{}
	for round := range b.rounds {
		turns := []struct {
			c    *contender
			into *[]float64
		}{{array, &result.Array}, {peer, &result.Peer}}
		if round%2 == 1 {
			turns[0], turns[1] = turns[1], turns[0]
		}
		for _, turn := range turns {
			rate, err := loginRate(ctx, turn.c.luns[0], b.each)
			if err != nil {
				return fmt.Errorf("%s: %w", turn.c.name, err)
			}
			*turn.into = append(*turn.into, rate)
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

// idleSessions is how many volumes, each with a session, the array holds while
// its memory is looked at.
const idleSessions = 1000

func (b *bench) idle(ctx context.Context) error {
	a, err := b.startArray(ctx, target.Unlimited)
	if err != nil {
		return err
	}
	defer a.Kill()
	before, err := a.RSS()
	if err != nil {
		return err
	}
	volumes, err := a.Create(ctx, idleSessions, element.QoS{MinIOPS: 50, MaxIOPS: 1000, BurstIOPS: 1000})
	if err != nil {
		return err
	}
	for _, v := range volumes {
		s, err := initiator.Login(v.Portal, initiatorName, v.IQN, v.Number, 1)
		if err != nil {
			return err
		}
		defer s.Close()
		if _, err := s.WriteCache(); err != nil { // the session serves
			return err
		}
	}
	watch := watchPeak(a.RSS)
	if err := pause(ctx, 3*time.Second); err != nil {
		return err
	}
	b.report.Idle = &IdleResult{Sessions: idleSessions, Empty: before, RSS: watch()}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
