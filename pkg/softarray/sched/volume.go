package sched

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/san-csi/san-csi/pkg/qos"
)

// Volume lets the I/Os of one volume through, in the order in which they come.
// They are counted by the array's cost curve (4 KiB = 1 I/O).
type Volume struct {
	array *Array

	mu sync.Mutex // taken before Array.mu, never after
	allowance
	waiting list.List // of *waiter, the oldest in front
	held    bool      // the front one waits for the array, not for its ceiling
	queued  bool      // it may have a claim in a queue of the array's

	front   atomic.Pointer[waiter]
	granted atomic.Int64 // cost that the array has been paid for

	share, due claim // Array.mu guards them
}

// NewVolume makes a volume of the array. values are positive and ascending;
// idle is how long it is known to have done nothing, which has earned it credit.
func (a *Array) NewVolume(values qos.Values, idle time.Duration) *Volume {
	v := &Volume{array: a, allowance: newAllowance(values, a.now(), idle)}
	v.share.volume, v.due.volume = v, v
	return v
}

// SetQoS puts other values in force; commands that wait are looked at again at once.
func (v *Volume) SetQoS(values qos.Values) {
	now := v.array.now()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.earn(now, v.frontPrice(), v.held)
	v.set(values)
	if w := v.front.Load(); w != nil {
		w.nudge()
	}
}

// Usage is what a volume has and misses.
type Usage struct {
	// Credit is what it may do beyond Max, in I/Os of 4 KiB.
	Credit int64
	// Withheld is for how long in all it got nothing of its Max though it had
	// commands waiting, because the array was busy with others.
	Withheld time.Duration
}

// Usage is that of now.
func (v *Volume) Usage() Usage {
	now := v.array.now()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.earn(now, v.frontPrice(), v.held)
	return Usage{Credit: v.credit / priceOf(100), Withheld: v.withheld}
}

// TryAdmit lets an I/O of n bytes through if it need not wait. It never passes
// one that waits.
func (v *Volume) TryAdmit(n int) bool {
	cost, now := v.array.curve.Cost(n), v.array.now()
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.waiting.Len() == 0 && v.take(now, cost) == passes
}

// Admit returns when an I/O of n bytes may run, or with the context's error.
func (v *Volume) Admit(ctx context.Context, n int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	cost, now := v.array.curve.Cost(n), v.array.now()
	v.mu.Lock()
	if v.waiting.Len() == 0 && v.take(now, cost) == passes {
		v.mu.Unlock()
		return nil
	}
	w := &waiter{cost: cost, turn: make(chan struct{}, 1)}
	place := v.waiting.PushBack(w)
	if v.waiting.Len() == 1 {
		v.front.Store(w)
	}
	v.mu.Unlock()
	return v.wait(ctx, w, place)
}

// verdict says whether an I/O may go, and else what it waits for.
type verdict int

const (
	passes verdict = iota
	atCeiling
	atArray
)

// take lets an I/O through if its ceiling and the array allow it.
func (v *Volume) take(now time.Duration, cost int64) verdict {
	price := priceOf(cost)
	v.earn(now, price, v.held)
	if v.until(price) > 0 {
		v.below = false
		return atCeiling
	}
	if !v.pass(now, cost) {
		return atArray
	}
	v.pay(price)
	return passes
}

// pass takes an I/O's place at the array: within the floor ahead of others,
// else from what was granted or, where nobody waits, from what is free.
func (v *Volume) pass(now time.Duration, cost int64) bool {
	a := v.array
	if price := priceOf(cost); v.floor.level >= price && !a.overdue.Load() && a.gate.pass(now, cost, Depth) {
		v.floor.level -= price
		return true
	}
	if v.granted.Load() >= cost {
		v.granted.Add(-cost)
		return true
	}
	return !a.busy.Load() && a.gate.pass(now, cost, 0)
}
