package placement

import (
	"context"
	"fmt"
	"time"

	"github.com/san-csi/san-csi/pkg/san"
)

// census is how many there are of what an array holds.
type census struct {
	ours    int // handed out and not deleted
	others  int // of other owners
	deleted int // in the recycle bin, of all owners
	nodes   int // grants of ours
}

// Ready waits until the ledger has been read from the array once.
func (l *Ledger) Ready(ctx context.Context) error {
	if l.isLoaded() {
		return nil
	}
	if err := l.begin(ctx); err != nil {
		return err
	}
	defer l.end()
	if l.isLoaded() {
		return nil // by whom this call waited for
	}
	return l.read(ctx)
}

// Resync reads the array again, beside calls on their way. What own calls did
// meanwhile counts, not what the reading says of it.
func (l *Ledger) Resync(ctx context.Context) error {
	if err := l.begin(ctx); err != nil {
		return err
	}
	defer l.end()
	return l.read(ctx)
}

func (l *Ledger) isLoaded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.loaded
}

func (l *Ledger) begin(ctx context.Context) error {
	select {
	case <-l.reading:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("array %q: wait for its volumes to be read: %w: %w", l.array, san.ErrUnavailable, context.Cause(ctx))
	}
}

// idle tells that no reading runs.
func (l *Ledger) idle() bool { return len(l.reading) > 0 }

func (l *Ledger) end() { l.reading <- struct{}{} }

func (l *Ledger) read(ctx context.Context) error {
	begun := time.Now()
	l.mu.Lock()
	l.own = &touched{volumes: map[int64]struct{}{}, names: map[string]struct{}{}}
	l.mu.Unlock()
	said, err := l.source.Capacity(ctx)
	var promises []san.Promise
	if err == nil {
		promises, err = l.source.Promises(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	own := l.own
	l.own = nil
	if err != nil {
		l.down = fmt.Errorf("array %q: %w", l.array, err)
		return l.down
	}
	l.said, l.loaded, l.down = said, true, nil
	l.install(promises, own, begun)
	return nil
}

// install puts the reading in the place of what was known. The lock is held.
func (l *Ledger) install(promises []san.Promise, own *touched, begun time.Time) {
	known := l.volumes
	l.volumes, l.names, l.strays = map[int64]entry{}, map[string]int64{}, map[string]Load{}
	l.sum, l.census = Load{}, census{}
	for _, p := range promises {
		l.count(p)
		if _, mine := own.volumes[p.Volume]; !mine {
			l.enter(p, own)
		}
	}
	for id := range own.volumes {
		if e, ok := known[id]; ok {
			l.put(id, e)
		}
	}
	l.expire(begun)
}

// enter takes over what the reading says of one volume. The lock is held.
func (l *Ledger) enter(p san.Promise, own *touched) {
	load := Load{IOPS: p.QoS.Min, Bytes: p.SizeBytes}
	ours := p.Owner.Cluster == l.cluster && !p.Deleted
	if !ours {
		if l.hasOwnShare(p) {
			load.IOPS = 0
		}
		l.put(p.Volume, entry{load: load})
		return
	}
	if _, held := l.creates[p.Name]; !held && p.Claimed {
		l.put(p.Volume, entry{load: load, name: p.Name})
		return
	}
	if _, settled := own.names[p.Name]; !settled {
		l.strays[p.Name] = l.strays[p.Name].plus(load)
	}
}

// hasOwnShare tells whether another cluster's controller answers for the floor:
// where this one has a share of the array, so have the others.
func (l *Ledger) hasOwnShare(p san.Promise) bool {
	return l.budget.CapacityIOPS > 0 && p.Owner.Cluster != "" && p.Owner.Cluster != l.cluster
}

func (l *Ledger) count(p san.Promise) {
	switch {
	case p.Deleted:
		l.census.deleted++
	case p.Owner.Cluster != l.cluster:
		l.census.others++
	case p.Claimed:
		l.census.ours++
		l.census.nodes += p.Nodes
	}
}

// expire lets go of calls that were given up so long ago that the reading shows
// what became of them. The lock is held.
func (l *Ledger) expire(begun time.Time) {
	for _, h := range l.creates {
		if h.late(begun) {
			h.release()
		}
	}
	for id, h := range l.changes {
		if _, there := l.volumes[id]; h.late(begun) || !there && h.calls == 0 {
			h.release()
		}
	}
}
