package placement

import (
	"context"
	"sync"

	"github.com/san-csi/san-csi/pkg/san"
)

// Source is what a ledger reads of its array.
type Source interface {
	Capacity(ctx context.Context) (san.Capacity, error)
	Promises(ctx context.Context) ([]san.Promise, error)
}

// Ledger counts what an array has promised, and refuses what would pass its
// budget. It is a cache: the truth is on the array, from which Resync rebuilds
// it. Every call of this process that makes, changes or deletes a volume goes
// through it, so that between two readings it is exact but for what others do.
//
// A volume counts once, whatever is known of it: by its number in volumes, or,
// while it may or may not have been handed out, by its name in strays and
// creates together.
type Ledger struct {
	array   string // its name in the configuration
	cluster string // whose volumes are ours
	source  Source
	reading chan struct{} // holds one token while no Resync runs

	mu      sync.Mutex
	budget  Budget
	said    san.Capacity // by the array
	loaded  bool         // at least once
	down    error        // why the last reading failed, nil = it did not
	volumes map[int64]entry
	sum     Load             // of volumes
	names   map[string]int64 // ours that were handed out
	strays  map[string]Load  // ours that perhaps were not, by name
	creates map[string]*Hold // by name
	changes map[int64]*Hold  // by number
	own     *touched         // what own calls did since a running Resync began; nil = none runs
	census  census           // as it was last read
}

type entry struct {
	load Load
	name string // "" = not ours, or deleted
}

// touched is what a reading that began earlier may have wrong.
type touched struct {
	volumes map[int64]struct{}
	names   map[string]struct{}
}

func newLedger(array, cluster string, b Budget, s Source) *Ledger {
	l := &Ledger{
		array: array, cluster: cluster, source: s, budget: b, reading: make(chan struct{}, 1),
		volumes: map[int64]entry{}, names: map[string]int64{}, strays: map[string]Load{},
		creates: map[string]*Hold{}, changes: map[int64]*Hold{},
	}
	l.reading <- struct{}{}
	return l
}

// Create keeps room for a volume of that name that is about to be made. A
// second call for a name that is not settled yet keeps room for the larger of
// both. ErrExhausted where the budget does not have it.
func (l *Ledger) Create(name string, want Load) (*Hold, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, before := l.creates[name], l.used()
	if h == nil {
		h = &Hold{ledger: l, name: name}
		// A stray takes room but was promised to nobody: to hand it out is to promise it.
		before = before.minus(l.strays[name])
	}
	l.creates[name] = h
	if err := h.grow(want, before); err != nil {
		return nil, err
	}
	return h, nil
}

// Repeat is a Create of a volume that is on the array already: nothing more is
// promised.
func (l *Ledger) Repeat(name string) *Hold {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.creates[name]
	if h == nil {
		h = &Hold{ledger: l, name: name}
		l.creates[name] = h
	}
	h.calls++
	return h
}

// Change keeps room for the volume, just read from the array, to take want
// instead of what it has.
func (l *Ledger) Change(v *san.Volume, want Load) (*Hold, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := v.Handle.Volume
	l.put(id, entry{load: loadOf(v), name: v.Name})
	h, before := l.changes[id], l.used()
	if h == nil {
		h = &Hold{ledger: l, volume: id}
	}
	l.changes[id] = h
	if err := h.grow(want, before); err != nil {
		return nil, err
	}
	return h, nil
}

// Gone takes out the volume of that number, which was deleted for good.
func (l *Ledger) Gone(volume int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(volume)
	delete(l.changes, volume) // nothing can come of them any more
}

// MayHave tells whether a volume of ours of that name may be on the array. It
// is false only where the array was read and no call since could have made one.
func (l *Ledger) MayHave(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, made := l.names[name]
	_, stray := l.strays[name]
	_, held := l.creates[name]
	return !l.loaded || made || stray || held
}

// bound is the most that may be promised. The lock is held.
func (l *Ledger) bound() Load { return l.budget.bound(l.said) }

// used is what is promised, with what is on its way. The lock is held.
func (l *Ledger) used() Load {
	used := l.sum
	for name, stray := range l.strays {
		if _, held := l.creates[name]; !held {
			used = used.plus(stray)
		}
	}
	for name, h := range l.creates {
		used = used.plus(h.load.Larger(l.strays[name]))
	}
	for id, h := range l.changes {
		has := l.volumes[id].load
		used = used.plus(h.load.Larger(has).minus(has))
	}
	return used
}

// put enters a volume. The lock is held.
func (l *Ledger) put(id int64, e entry) {
	l.drop(id)
	l.volumes[id] = e
	l.sum = l.sum.plus(e.load)
	if e.name != "" {
		l.names[e.name] = id
	}
}

// drop takes a volume out. The lock is held.
func (l *Ledger) drop(id int64) {
	if l.own != nil {
		l.own.volumes[id] = struct{}{}
	}
	e, ok := l.volumes[id]
	if !ok {
		return
	}
	delete(l.volumes, id)
	l.sum = l.sum.minus(e.load)
	if l.names[e.name] == id {
		delete(l.names, e.name)
	}
}
