package placement

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/san-csi/san-csi/pkg/san"
)

// Wish is what a class and a claim ask of an array.
type Wish struct {
	Array    string            // by name; "" = any
	Selector map[string]string // labels that must all be there
	Topology Topology
}

// Match lists the arrays that a wish allows. It is san.ErrInvalid where the class
// names none: no retry makes a misspelt name right; and san.ErrExhausted where
// the claim's nodes reach none of them.
func (f *Fleet) Match(w Wish) ([]Member, error) {
	var staying, found []Member
	for _, m := range f.Members() {
		if m.Leaving {
			continue
		}
		staying = append(staying, m)
		if (w.Array == "" || m.Name == w.Array) && hasLabels(m.Labels, w.Selector) {
			found = append(found, m)
		}
	}
	if len(found) == 0 {
		return nil, noMatch(w, staying)
	}
	reached := slices.DeleteFunc(slices.Clone(found), func(m Member) bool { return !m.reachesAny(w.Topology.Requisite) })
	if len(reached) == 0 {
		return nil, fmt.Errorf("arrays %s: none is reached from the nodes asked for, %v: %w", names(found), w.Topology.Requisite, san.ErrExhausted)
	}
	return reached, nil
}

func noMatch(w Wish, there []Member) error {
	if w.Array != "" && len(w.Selector) == 0 {
		return fmt.Errorf("array %q: not configured (there are: %s): %w", w.Array, names(there), san.ErrInvalid)
	}
	return fmt.Errorf("array %q, arraySelector %v: no configured array matches (there are: %s): %w", w.Array, w.Selector, names(there), san.ErrInvalid)
}

// Bid is what a volume would take of an array that may have it.
type Bid struct {
	Member
	Want Load
}

// Choose keeps room for a volume of that name on one of the arrays: the one
// that a call of unknown outcome was sent to before; else, of those that the
// topology prefers the same, the one with the most headroom in IOPS, then in
// bytes. Where none has room, the error tells the numbers of each.
func Choose(name string, t Topology, bids []Bid) (Bid, *Hold, error) {
	rooms, ranks := map[string]Load{}, map[string]int{}
	for _, b := range bids {
		rooms[b.Name], ranks[b.Name] = b.Ledger.standing().Headroom(), t.rank(b.Member)
		if b.Ledger.holds(name) {
			ranks[b.Name] = -1
		}
	}
	order := slices.Clone(bids)
	slices.SortStableFunc(order, func(a, b Bid) int {
		return cmp.Or(
			cmp.Compare(ranks[a.Name], ranks[b.Name]),
			cmp.Compare(rooms[b.Name].IOPS, rooms[a.Name].IOPS),
			cmp.Compare(rooms[b.Name].Bytes, rooms[a.Name].Bytes),
		)
	})
	var refusals []error
	for _, b := range order {
		h, err := b.Ledger.Create(name, b.Want)
		if err == nil {
			return b, h, nil
		}
		refusals = append(refusals, err)
	}
	return Bid{}, nil, joined(refusals)
}

// joined is one error of them all, on one line.
func joined(errs []error) error {
	err := errs[0]
	for _, next := range errs[1:] {
		err = fmt.Errorf("%w; %w", err, next)
	}
	return err
}

// holds tells whether a call that would make a volume of that name is not
// settled.
func (l *Ledger) holds(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, held := l.creates[name]
	return held
}

func hasLabels(labels, wanted map[string]string) bool {
	for key, want := range wanted {
		if v, ok := labels[key]; !ok || v != want {
			return false
		}
	}
	return true
}
