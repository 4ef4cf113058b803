package santest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/san-csi/san-csi/pkg/san"
)

func grantTests() map[string]func(*testing.T, Subject) {
	return map[string]func(*testing.T, Subject){
		"Grant/tells the way and counts epochs":  grantTells,
		"Grant/is exclusive unless shared":       grantExclusive,
		"Grant/in another mode":                  grantOtherMode,
		"Grant/refuses a cloned node":            grantClonedNode,
		"Grant/of many volumes to a new node":    grantManyVolumes,
		"Grant/of one volume to many at once":    grantManyNodes,
		"Grant/shared until there is no room":    grantExhausts,
		"Grant/of what is not there":             grantNotThere,
		"Grant/is seen by the next process":      grantSurvives,
		"Grant/fences off access without record": grantDropsStray,
	}
}

func grantTells(t *testing.T, s Subject) {
	v, n := create(t, s.Array, "pvc-1"), node(t, 1)
	g := grant(t, s.Array, v, n, san.Mode{ReadOnly: true})
	if g.IQN == "" || len(g.Portals) == 0 || g.NAA != v.NAA || g.SizeBytes != v.SizeBytes || !g.Blank || !g.ReadOnly || g.Epoch < 1 {
		t.Errorf("grant %+v of volume %+v", g, v)
	}
	if again := grant(t, s.Array, v, n, san.Mode{ReadOnly: true}); again.Epoch != g.Epoch {
		t.Errorf("a repeated grant has epoch %d, the first %d", again.Epoch, g.Epoch)
	}
	if nodes := get(t, s.Array, v.Handle).Nodes; !slices.Equal(nodes, []san.Node{n}) {
		t.Errorf("nodes %v; want %v", nodes, n)
	}
	must(t, s.Array.Revoke(t.Context(), v.Handle, n))
	if next := grant(t, s.Array, v, n, san.Mode{}); next.Epoch <= g.Epoch {
		t.Errorf("the next grant has epoch %d, the last %d", next.Epoch, g.Epoch)
	}
}

func grantExclusive(t *testing.T, s Subject) {
	v, first, second := create(t, s.Array, "pvc-1"), node(t, 1), node(t, 2)
	grant(t, s.Array, v, first, san.Mode{})
	for _, m := range []san.Mode{{}, {Shared: true}} {
		_, err := s.Array.Grant(t.Context(), v.Handle, second, m)
		wants(t, err, san.ErrBusy, first.String())
	}
	must(t, s.Array.Revoke(t.Context(), v.Handle, first))
	one := grant(t, s.Array, v, first, san.Mode{Shared: true})
	two := grant(t, s.Array, v, second, san.Mode{Shared: true})
	if one.Epoch == two.Epoch {
		t.Errorf("two nodes have epoch %d", one.Epoch)
	}
	if again := grant(t, s.Array, v, first, san.Mode{Shared: true}); again.Epoch != one.Epoch {
		t.Errorf("the first node's epoch went from %d to %d", one.Epoch, again.Epoch)
	}
	counts(t, "nodes", len(get(t, s.Array, v.Handle).Nodes), 2)
}

func grantOtherMode(t *testing.T, s Subject) {
	v, n := create(t, s.Array, "pvc-1"), node(t, 1)
	grant(t, s.Array, v, n, san.Mode{})
	for _, m := range []san.Mode{{ReadOnly: true}, {Shared: true}} {
		_, err := s.Array.Grant(t.Context(), v.Handle, n, m)
		wants(t, err, san.ErrExists, n.IQN)
	}
}

func grantClonedNode(t *testing.T, s Subject) {
	one, two := create(t, s.Array, "pvc-1"), create(t, s.Array, "pvc-2")
	n := node(t, 1)
	clone, err := san.NewNode(n.IQN, "another machine")
	must(t, err)
	grant(t, s.Array, one, n, san.Mode{Shared: true})
	for _, v := range []san.Volume{one, two} {
		_, err = s.Array.Grant(t.Context(), v.Handle, clone, san.Mode{Shared: true})
		wants(t, err, san.ErrBusy, n.IQN, n.Tag)
	}
	must(t, s.Array.Revoke(t.Context(), one.Handle, clone))
	if nodes := get(t, s.Array, one.Handle).Nodes; !slices.Equal(nodes, []san.Node{n}) {
		t.Errorf("revoking the clone leaves %v; want %v", nodes, n)
	}
}

func grantManyVolumes(t *testing.T, s Subject) {
	n := node(t, 1)
	volumes := make([]san.Volume, 8)
	for i := range volumes {
		volumes[i] = create(t, s.Array, fmt.Sprintf("pvc-%d", i))
	}
	var wg sync.WaitGroup
	for _, v := range volumes {
		wg.Go(func() {
			if _, err := s.Array.Grant(t.Context(), v.Handle, n, san.Mode{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	counts(t, "doors for one node", s.Doors(t), 1)
	for _, v := range volumes {
		wg.Go(func() {
			if err := s.Array.Revoke(t.Context(), v.Handle, n); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	counts(t, "doors once all is revoked", s.Doors(t), 0)
}

func grantManyNodes(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	won := make([]bool, 10)
	var wg sync.WaitGroup
	for i := range won {
		n := node(t, i)
		wg.Go(func() {
			_, err := s.Array.Grant(t.Context(), v.Handle, n, san.Mode{})
			won[i] = err == nil
		})
	}
	wg.Wait()
	winners := 0
	for _, w := range won {
		if w {
			winners++
		}
	}
	counts(t, "winners of an exclusive grant", winners, 1)
	counts(t, "nodes", len(get(t, s.Array, v.Handle).Nodes), 1)
	must(t, s.Array.Revoke(t.Context(), v.Handle, san.Node{}))
	must(t, s.Array.Sweep(t.Context()))
	counts(t, "doors", s.Doors(t), 0)
}

func grantExhausts(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	for i := range 100 {
		if _, err := s.Array.Grant(t.Context(), v.Handle, node(t, i), san.Mode{Shared: true}); err != nil {
			wants(t, err, san.ErrExhausted)
			counts(t, "nodes", len(get(t, s.Array, v.Handle).Nodes), i)
			if i < 2 {
				t.Errorf("room for %d nodes only", i)
			}
			break
		}
	}
	must(t, s.Array.Revoke(t.Context(), v.Handle, san.Node{}))
	counts(t, "nodes", len(get(t, s.Array, v.Handle).Nodes), 0)
}

func grantNotThere(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	_, err := s.Array.Grant(t.Context(), v.Handle, san.Node{}, san.Mode{})
	wants(t, err, san.ErrInvalid)
	gone := v.Handle
	gone.Volume += 1000
	_, err = s.Array.Grant(t.Context(), gone, node(t, 1), san.Mode{})
	wants(t, err, san.ErrNotFound)
	counts(t, "doors", s.Doors(t), 0)
}

func grantSurvives(t *testing.T, s Subject) {
	v, n := create(t, s.Array, "pvc-1"), node(t, 1)
	g := grant(t, s.Array, v, n, san.Mode{})
	next := s.Restart(t)
	if again := grant(t, next, v, n, san.Mode{}); again.Epoch != g.Epoch {
		t.Errorf("after a restart the epoch is %d, was %d", again.Epoch, g.Epoch)
	}
	_, err := next.Grant(t.Context(), v.Handle, node(t, 2), san.Mode{})
	wants(t, err, san.ErrBusy, n.IQN)
	must(t, next.Revoke(t.Context(), v.Handle, n))
	counts(t, "doors", s.Doors(t), 0)
}

func grantDropsStray(t *testing.T, s Subject) {
	v, other, stray := create(t, s.Array, "pvc-1"), create(t, s.Array, "pvc-2"), node(t, 2)
	grant(t, s.Array, other, stray, san.Mode{})
	s.AddAccess(t, v, stray)
	s.Login(t, v, stray)
	grant(t, s.Array, v, node(t, 1), san.Mode{})
	counts(t, "sessions", s.Sessions(), 0)
	if nodes := get(t, s.Array, v.Handle).Nodes; !slices.Equal(nodes, []san.Node{node(t, 1)}) {
		t.Errorf("nodes %v; want the one that was granted", nodes)
	}
}
