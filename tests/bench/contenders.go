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

// running is a target's process.
type running interface {
	CPU() (time.Duration, error)
	RSS() (int64, error)
	Kill()
}

// contender is a target of the comparison.
type contender struct {
	running
	name string
	luns []target.LUN
}

// pair are san-array and what it is compared with.
type pair struct{ array, peer contender }

func (p *pair) kill() {
	p.array.Kill()
	p.peer.Kill()
}

// contenders starts both targets on the medium and makes sure that their write
// caches are set alike.
func (b *bench) contenders(ctx context.Context) (*pair, error) {
	array, err := b.arrayContender(ctx)
	if err != nil {
		return nil, err
	}
	peer, err := b.tgtdContender(ctx)
	if err != nil {
		array.Kill()
		return nil, err
	}
	p := &pair{array, peer}
	if err := sameCache(array, peer); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

func (b *bench) arrayContender(ctx context.Context) (contender, error) {
	a, err := b.startArray(ctx, target.Unlimited*maxLUNs)
	if err != nil {
		return contender{}, err
	}
	volumes, err := a.Create(ctx, maxLUNs, element.QoS{MinIOPS: lowestFloor, MaxIOPS: target.Unlimited, BurstIOPS: target.Unlimited})
	if err != nil {
		a.Kill()
		return contender{}, err
	}
	return contender{a, "san-array", luns(volumes)}, nil
}

func (b *bench) tgtdContender(ctx context.Context) (contender, error) {
	dir, err := b.scratchDir("tgtd")
	if err != nil {
		return contender{}, err
	}
	programs := target.Programs{Tgtd: b.programs.tgtd, Tgtadm: b.programs.tgtadm, Env: b.programs.env}
	t, err := target.StartTgtd(ctx, programs, dir, maxLUNs, target.LUNSize)
	if err != nil {
		return contender{}, err
	}
	return contender{t, "tgtd", t.LUNs}, nil
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
func (b *bench) fill(ctx context.Context, contenders ...contender) error {
	for _, c := range contenders {
		if _, err := b.fio.Run(ctx, fio.Load{LUNs: c.luns, Kind: fio.Write, Block: 128 << 10, Depth: 8, Span: span}); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// sameCache holds both to a write cache that is enabled, as their LUNs tell it.
func sameCache(contenders ...contender) error {
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
