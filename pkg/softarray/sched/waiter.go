package sched

import (
	"container/list"
	"context"
	"time"

	"k8s.io/utils/clock"
)

// waiter is a blocked Admit. The one in front is told through turn to look
// (again) whether it may go.
type waiter struct {
	cost int64
	turn chan struct{}
}

func (w *waiter) nudge() {
	select {
	case w.turn <- struct{}{}:
	default: // one that is pending is enough
	}
}

func (v *Volume) frontPrice() int64 {
	if w := v.front.Load(); w != nil {
		return priceOf(w.cost)
	}
	return 0
}

// wait blocks until w is in front and may go.
func (v *Volume) wait(ctx context.Context, w *waiter, place *list.Element) error {
	for {
		left, ok := v.advance(place)
		if ok {
			return nil
		}
		var timer clock.Timer
		var due <-chan time.Time
		if left > 0 {
			timer = v.array.clock.NewTimer(left)
			due = timer.C()
		}
		select {
		case <-due:
		case <-w.turn:
		case <-ctx.Done():
		}
		if timer != nil {
			timer.Stop()
		}
		if err := ctx.Err(); err != nil {
			v.leave(place)
			return err
		}
	}
}

// advance lets the waiter at place go if it may. Otherwise it says when to look
// again, 0 where it will be told.
func (v *Volume) advance(place *list.Element) (time.Duration, bool) {
	now := v.array.now()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.waiting.Front() != place {
		return 0, false
	}
	cost := place.Value.(*waiter).cost
	price := priceOf(cost)
	switch v.take(now, cost) {
	case atCeiling:
		v.held = false
		v.withdraw()
		return v.until(price), false
	case atArray:
		v.held, v.queued = true, true
		left := v.floor.until(price)
		v.array.wait(v, left == 0, cost)
		return left, false
	}
	v.remove(place)
	return 0, true
}

// remove takes a waiter out of the line and tells the one that is now in front.
func (v *Volume) remove(place *list.Element) {
	wasFront := v.waiting.Front() == place
	v.waiting.Remove(place)
	if !wasFront {
		return
	}
	v.held = false
	v.withdraw()
	front := v.waiting.Front()
	if front == nil {
		v.front.Store(nil)
		return
	}
	w := front.Value.(*waiter)
	v.front.Store(w)
	w.nudge()
}

// withdraw gives up the place in the array's queue, if there is one.
func (v *Volume) withdraw() {
	if v.queued {
		v.queued = false
		v.array.leave(v)
	}
}

// leave takes a waiter that gave up out of the line.
func (v *Volume) leave(place *list.Element) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.remove(place)
}

// grant gives a volume a turn at the array; Array.mu is held.
func (v *Volume) grant(cost int64) {
	v.granted.Add(cost)
	if w := v.front.Load(); w != nil {
		w.nudge()
	}
}
