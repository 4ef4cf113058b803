package main

import (
	"context"
	"time"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/tests/bench/initiator"
	"github.com/san-csi/san-csi/tests/bench/target"
)

// idleSessions is how many volumes, each with a session, the array holds while
// its memory is looked at.
const idleSessions = 1000

// idle opens them all and leaves them alone for a moment.
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
	volumes, err := a.Create(ctx, idleSessions, element.QoS{MinIOPS: lowestFloor, MaxIOPS: 1000, BurstIOPS: 1000})
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
