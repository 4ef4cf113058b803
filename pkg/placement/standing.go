package placement

import (
	"context"

	"github.com/san-csi/san-csi/pkg/san"
)

// Standing is how an array stands with its budget.
type Standing struct {
	Array    string
	Up       bool // it answered when it was last read
	Leaving  bool // it is no longer in the configuration and still has volumes
	Bound    Load // the most that may be promised
	Promised Load
	Volumes  int // of this cluster
	Others   int // of other owners
	Deleted  int // in the recycle bin, of all owners
	Nodes    int // grants: attachments of this cluster's volumes

	Said san.Capacity // by the array itself
}

// Headroom is what may still be promised; negative where others went past the
// budget.
func (s Standing) Headroom() Load { return s.Bound.minus(s.Promised) }

// Overrun tells whether more is promised than the budget has.
func (s Standing) Overrun() bool {
	room := s.Headroom()
	return room.IOPS < 0 || room.Bytes < 0
}

func (l *Ledger) standing() Standing {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Standing{
		Array: l.array, Up: l.loaded && l.down == nil, Bound: l.bound(), Promised: l.used(),
		Volumes: l.census.ours, Others: l.census.others, Deleted: l.census.deleted, Nodes: l.census.nodes, Said: l.said,
	}
}

// Room is what the array may still promise, not below 0. An array that did not
// answer when it was last read is an error at once: it has no room now.
func (l *Ledger) Room(ctx context.Context) (Load, error) {
	if err := l.Down(); err != nil {
		return Load{}, err
	}
	if err := l.Ready(ctx); err != nil {
		return Load{}, err
	}
	return l.standing().Headroom().Larger(Load{}), nil
}

// Down is why the array could not be read the last time, nil where it could.
func (l *Ledger) Down() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.down
}

func (l *Ledger) setBudget(b Budget) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.budget = b
}

// empty tells whether the array was read and has nothing of ours, nor may come
// to have it.
func (l *Ledger) empty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.loaded && l.down == nil && len(l.names) == 0 && len(l.strays) == 0 && len(l.creates) == 0
}
