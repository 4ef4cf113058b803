package sched

import "time"

// round is how far a volume's turn reaches: it gets what its share is in that
// time at once, so that a volume with a large share need not wait, and its
// commands be woken, one by one.
const round = 5 * time.Millisecond

// turn is the cost that the first of the shares gets in its turn.
func (a *Array) turn(c *claim) int64 {
	share := c.weight * a.gate.iops / max(a.shares.weights, a.gate.iops) // IOPS
	return max(c.need, share*100*int64(round)/int64(time.Second))
}

// serve gives turns as long as the gate lets it. It says when the next one can
// be given, if anybody still waits. The caller holds a.mu.
func (a *Array) serve() (next time.Duration, more bool) {
	defer a.count()
	now := a.now()
	for a.shares.Len()+a.floors.Len() > 0 {
		q, debt := &a.floors, Depth
		if q.Len() == 0 {
			q, debt = &a.shares, 0
		}
		c := q.first()
		cost := c.need
		if q == &a.shares {
			cost = a.turn(c)
		}
		if !a.gate.pass(now, cost, debt) {
			return a.gate.until(now, debt), true
		}
		q.serve(cost)
		c.volume.grant(cost)
	}
	return 0, false
}

// serveLater has turns given after d, and on until nobody waits. The caller
// holds a.mu.
func (a *Array) serveLater(d time.Duration, sooner bool) {
	if !a.serving {
		a.serving = true
		go a.run(d)
		return
	}
	if sooner {
		a.look()
	}
}

func (a *Array) run(d time.Duration) {
	for {
		timer := a.clock.NewTimer(d)
		select {
		case <-timer.C():
		case <-a.kick:
			timer.Stop()
		}
		a.mu.Lock()
		next, more := a.serve()
		a.serving = more
		a.mu.Unlock()
		if !more {
			return
		}
		d = next
	}
}

// look has the server look again.
func (a *Array) look() {
	select {
	case a.kick <- struct{}{}:
	default: // one that is pending is enough
	}
}
