package placement

import (
	"context"
	"sync"
	"time"

	"k8s.io/klog/v2"
)

// Keep reads every array at once and then at each interval until the context
// ends, so that what others do on it is seen, and lets arrays go that have left
// the configuration. One that is slow holds up no other: the next reading of it
// is left out. An array that has promised more than its budget is told to raise.
func (f *Fleet) Keep(ctx context.Context, interval time.Duration, raise func(Standing)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var running sync.WaitGroup
	defer running.Wait()
	for {
		for _, m := range f.Members() {
			if m.Ledger.idle() {
				running.Go(func() { m.keep(ctx, raise) })
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, name := range f.forget() {
			klog.FromContext(ctx).Info("array is no longer configured and has no volume of ours: let go", "array", name)
		}
	}
}

// patience bounds one reading: thousands of volumes of an array that is busy.
const patience = time.Minute

func (m Member) keep(ctx context.Context, raise func(Standing)) {
	log := klog.FromContext(ctx).WithValues("array", m.Name)
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := m.Ledger.Resync(bounded); err != nil {
		if ctx.Err() == nil {
			log.Error(err, "the array's volumes could not be read; it gets no new ones until they can, where another array will do")
		}
		return
	}
	s := m.Ledger.standing()
	if m.Leaving && !m.Ledger.empty() {
		log.Info("array is no longer configured and still has volumes of ours: it stays in service for them", "volumes", s.Volumes)
	}
	if s.Overrun() {
		log.Error(nil, "more is promised than the budget has", "floors", s.Promised.IOPS, "budget", s.Bound.IOPS,
			"bytes", s.Promised.Bytes, "bytesBudget", s.Bound.Bytes)
		raise(s)
	}
}

// Standings is how every array stands.
func (f *Fleet) Standings() []Standing {
	var all []Standing
	for _, m := range f.Members() {
		s := m.Ledger.standing()
		s.Leaving = m.Leaving
		all = append(all, s)
	}
	return all
}
