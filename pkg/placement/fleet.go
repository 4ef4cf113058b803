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

// ByID is the array of that unique id. Arrays whose id is not known yet are
// asked, all at once, so that one that hangs keeps nobody from another; one that
// does not answer matters only where no other has the id.
func (f *Fleet) ByID(ctx context.Context, id string) (Member, error) {
	members := f.Members()
	var unknown []Member
	for _, m := range members {
		switch f.knownID(m) {
		case id:
			return m, nil
		case "":
			unknown = append(unknown, m)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var down error
	for answer := range ask(ctx, unknown) {
		if answer.err != nil {
			down = fmt.Errorf("array %q: %w", answer.member.Name, answer.err)
			continue
		}
		f.learnID(answer.member, answer.id)
		if answer.id == id {
			return answer.member, nil
		}
	}
	if down != nil {
		return Member{}, fmt.Errorf("array with id %q: not among those that answer: %w", id, down)
	}
	return Member{}, fmt.Errorf("array with id %q (there are: %s): %w: %w", id, names(members), ErrNoArray, san.ErrNotFound)
}

type identified struct {
	member Member
	id     string
	err    error
}

// ask asks each array who it is. The answers come as they are there.
func ask(ctx context.Context, members []Member) <-chan identified {
	answers := make(chan identified, len(members))
	var asking sync.WaitGroup
	for _, m := range members {
		asking.Go(func() {
			identity, err := m.Array.Identity(ctx)
			answers <- identified{m, identity.UniqueID, err}
		})
	}
	go func() {
		asking.Wait()
		close(answers)
	}()
	return answers
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
