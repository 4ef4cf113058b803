package santest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/san-csi/san-csi/pkg/san"
)

func sweepTests() map[string]func(*testing.T, Subject) {
	return map[string]func(*testing.T, Subject){
		"Sweep/leaves what is in use":           sweepLeaves,
		"Sweep/removes access without a record": sweepRemovesAccess,
		"Sweep/beside calls in flight":          sweepBesideCalls,
	}
}

func sweepLeaves(t *testing.T, s Subject) {
	v, n := create(t, s.Array, "pvc-1"), node(t, 1)
	g := grant(t, s.Array, v, n, san.Mode{})
	s.Login(t, v, n)
	for _, a := range []san.Array{s.Array, s.Restart(t)} {
		must(t, a.Sweep(t.Context()))
		if again := grant(t, a, v, n, san.Mode{}); again.Epoch != g.Epoch {
			t.Errorf("the epoch went from %d to %d", g.Epoch, again.Epoch)
		}
	}
	counts(t, "volumes", s.Volumes(t), 1)
	counts(t, "doors", s.Doors(t), 1)
	counts(t, "sessions", s.Sessions(), 1)
}

func sweepRemovesAccess(t *testing.T, s Subject) {
	v, other, n := create(t, s.Array, "pvc-1"), create(t, s.Array, "pvc-2"), node(t, 1)
	grant(t, s.Array, other, n, san.Mode{})
	s.AddAccess(t, v, n)
	s.Login(t, v, n)
	must(t, s.Restart(t).Sweep(t.Context()))
	counts(t, "sessions", s.Sessions(), 0)
	must(t, s.Array.Revoke(t.Context(), other.Handle, n))
	counts(t, "doors", s.Doors(t), 0)
	remove(t, s.Array, v.Handle)
}

func sweepBesideCalls(t *testing.T, s Subject) {
	var wg sync.WaitGroup
	for i := range 4 {
		n := node(t, i)
		wg.Go(func() {
			for round := range 3 {
				lifecycle(t, s.Array, fmt.Sprintf("pvc-%d-%d", i, round), n)
			}
		})
		wg.Go(func() {
			for range 3 {
				if err := s.Array.Sweep(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	must(t, s.Array.Sweep(t.Context()))
	counts(t, "volumes", s.Volumes(t), 0)
	counts(t, "doors", s.Doors(t), 0)
}

// lifecycle is what a PVC goes through; each step must find what the last left.
func lifecycle(t *testing.T, a san.Array, name string, n san.Node) {
	v, err := a.Create(t.Context(), request(name))
	if err != nil {
		t.Error(err)
		return
	}
	if _, err := a.Grant(t.Context(), v.Handle, n, san.Mode{}); err != nil {
		t.Error(err)
	}
	now, err := a.Get(t.Context(), v.Handle)
	if err != nil || len(now.Nodes) != 1 {
		t.Errorf("volume %s after its grant: %+v, %v", name, now, err)
	}
	if err := a.Revoke(t.Context(), v.Handle, n); err != nil {
		t.Error(err)
	}
	if _, err := a.Delete(t.Context(), v.Handle); err != nil {
		t.Error(err)
	}
}
