// Package sched holds volumes to their quality of service: each to its ceiling
// and burst, and all together to what the array can do, of which every volume
// gets its floor first and a share of the rest.
package sched

import (
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"

	"github.com/san-csi/san-csi/pkg/qos"
)

// Array shares what an array can do among its volumes. While that is enough
// for all of them, they meet at the gate only, an atomic word. Otherwise
// commands within their volume's floor still pass; the others wait, and are
// served in proportion to Max - Min. So all volumes are pushed from Max towards
// Min by the same fraction, and none below as long as the floors fit.
type Array struct {
	clock clock.Clock
	start time.Time
	gate  *gate
	curve qos.Curve

	busy    atomic.Bool // somebody waits in a queue
	overdue atomic.Bool // somebody waits though its floor is due

	mu      sync.Mutex // of the queues; taken after Volume.mu, never before
	shares  queue
	floors  queue // of volumes whose floor is due, where all floors are too much
	serving bool
	kick    chan struct{} // the server is to look again
}

// NewArray makes the scheduler of an array that can do iops IOPS of 4 KiB.
func NewArray(c clock.Clock, iops int64) *Array {
	return &Array{clock: c, start: c.Now(), gate: newGate(iops), curve: qos.ElementCurve(), kick: make(chan struct{}, 1)}
}

func (a *Array) now() time.Duration { return a.clock.Since(a.start) }

// wait lines a volume up for an I/O's cost; due says that it is within its floor.
func (a *Array) wait(v *Volume, due bool, cost int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	need := cost - v.granted.Load()
	if need <= 0 {
		return // it was its turn meanwhile
	}
	if due {
		a.shares.leave(&v.share)
		a.floors.join(&v.due, v.floor.iops, need)
	} else {
		a.floors.leave(&v.due)
		a.shares.join(&v.share, max(1, v.base.iops-v.floor.iops), need)
	}
	if d, more := a.serve(); more {
		a.serveLater(d, due)
	}
}

// leave takes a volume out of the queues.
func (a *Array) leave(v *Volume) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.shares.leave(&v.share)
	a.floors.leave(&v.due)
	a.count()
	if a.serving && !a.busy.Load() {
		a.look()
	}
}

func (a *Array) count() {
	a.overdue.Store(a.floors.Len() > 0)
	a.busy.Store(a.shares.Len()+a.floors.Len() > 0)
}
