// Package placement knows the arrays that are configured, counts what each has
// promised, and says which one takes a volume.
package placement

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/san-csi/san-csi/pkg/san"
)

// Member is one configured array.
type Member struct {
	Name     string
	Labels   map[string]string
	Topology []map[string]string // which nodes reach it: those with all labels of one entry; empty = every node
	Budget   Budget
	Array    san.Array

	Ledger  *Ledger // the fleet's; what the array has promised
	Leaving bool    // no longer configured, in service until it has no volume of ours
}

// Fleet is the arrays of one driver, in the order of the configuration.
type Fleet struct {
	cluster string

	mu      sync.Mutex
	members []Member          // replaced as a whole, never changed
	ids     map[string]string // name -> unique id, of those that have answered
}

// NewFleet is the fleet of these members, whose names differ, for the volumes
// of that Kubernetes cluster.
func NewFleet(cluster string, members []Member) *Fleet {
	f := &Fleet{cluster: cluster, ids: map[string]string{}}
	f.Replace(members)
	return f
}

// Replace takes over a changed configuration. A member of a name that is there
// goes on with its array and its ledger. One that is missing stays in service,
// though for no new volume, until it has no volume of ours; the names of those
// are returned.
func (f *Fleet) Replace(members []Member) (leaving []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var next []Member
	for _, m := range members {
		if i := f.index(m.Name); i >= 0 {
			m.Array, m.Ledger = f.members[i].Array, f.members[i].Ledger
			m.Ledger.setBudget(m.Budget)
		} else {
			m.Ledger = newLedger(m.Name, f.cluster, m.Budget, m.Array)
		}
		next = append(next, m)
	}
	for _, m := range f.members {
		if !slices.ContainsFunc(next, func(n Member) bool { return n.Name == m.Name }) {
			m.Leaving = true
			next, leaving = append(next, m), append(leaving, m.Name)
		}
	}
	f.members = next
	return leaving
}

// forget drops those that leave and have nothing of ours any more.
func (f *Fleet) forget() (gone []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var next []Member
	for _, m := range f.members {
		if m.Leaving && m.Ledger.empty() {
			gone = append(gone, m.Name)
			delete(f.ids, m.Name)
			continue
		}
		next = append(next, m)
	}
	f.members = next
	return gone
}

// index is the place of the member of that name, -1 = none. The lock is held.
func (f *Fleet) index(name string) int {
	return slices.IndexFunc(f.members, func(m Member) bool { return m.Name == name })
}

// ErrNoArray: no configured array has that id; it comes with san.ErrNotFound.
var ErrNoArray = errors.New("array not configured")

// Members are all arrays, also those that leave.
func (f *Fleet) Members() []Member {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.members
}

// ByID is the array of that unique id. An array whose id is not known yet is
// asked; one that does not answer is passed over unless the id could be its own.
func (f *Fleet) ByID(ctx context.Context, id string) (Member, error) {
	members := f.Members()
	for _, m := range members {
		if f.knownID(m) == id {
			return m, nil
		}
	}
	var down error
	for _, m := range members {
		if f.knownID(m) != "" {
			continue // another's id, and an array keeps its own for life
		}
		identity, err := m.Array.Identity(ctx)
		if err != nil {
			down = fmt.Errorf("array %q: %w", m.Name, err)
			continue
		}
		f.learnID(m, identity.UniqueID)
		if identity.UniqueID == id {
			return m, nil
		}
	}
	if down != nil {
		return Member{}, fmt.Errorf("array with id %q: not among those that answer: %w", id, down)
	}
	return Member{}, fmt.Errorf("array with id %q (there are: %s): %w: %w", id, names(members), ErrNoArray, san.ErrNotFound)
}

func (f *Fleet) knownID(m Member) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ids[m.Name]
}

func (f *Fleet) learnID(m Member, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ids[m.Name] = id
}

func names(members []Member) string {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.Name
	}
	return strings.Join(names, ", ")
}
