package santest

import (
	"testing"

	"github.com/san-csi/san-csi/pkg/san"
)

func revokeTests() map[string]func(*testing.T, Subject) {
	return map[string]func(*testing.T, Subject){
		"Revoke/is idempotent":                    revokeIsIdempotent,
		"Revoke/of every node":                    revokeAll,
		"Revoke/ends a session that is left":      revokeEndsSession,
		"Revoke/cannot lock out a shared volume":  revokeShared,
		"Revoke/leaves other volumes of the node": revokeLeavesOthers,
	}
}

func revokeIsIdempotent(t *testing.T, s Subject) {
	v, n := create(t, s.Array, "pvc-1"), node(t, 1)
	must(t, s.Array.Revoke(t.Context(), v.Handle, n))
	grant(t, s.Array, v, n, san.Mode{})
	must(t, s.Array.Revoke(t.Context(), v.Handle, node(t, 2)))
	counts(t, "nodes after another was revoked", len(get(t, s.Array, v.Handle).Nodes), 1)
	for range 2 {
		must(t, s.Array.Revoke(t.Context(), v.Handle, n))
		counts(t, "nodes", len(get(t, s.Array, v.Handle).Nodes), 0)
		counts(t, "doors", s.Doors(t), 0)
	}
	remove(t, s.Array, v.Handle)
	must(t, s.Array.Revoke(t.Context(), v.Handle, n))
	must(t, s.Array.Revoke(t.Context(), san.Handle{Array: "none", Volume: 1}, n))
}

func revokeAll(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	for i := range 3 {
		grant(t, s.Array, v, node(t, i), san.Mode{Shared: true})
	}
	must(t, s.Array.Revoke(t.Context(), v.Handle, san.Node{}))
	counts(t, "nodes", len(get(t, s.Array, v.Handle).Nodes), 0)
	counts(t, "doors", s.Doors(t), 0)
}

func revokeEndsSession(t *testing.T, s Subject) {
	v, n := create(t, s.Array, "pvc-1"), node(t, 1)
	grant(t, s.Array, v, n, san.Mode{})
	s.Login(t, v, n)
	must(t, s.Array.Revoke(t.Context(), v.Handle, n))
	counts(t, "sessions", s.Sessions(), 0)
	// What was locked for it is open again.
	grant(t, s.Array, v, node(t, 2), san.Mode{})
	must(t, s.Array.Revoke(t.Context(), v.Handle, node(t, 2)))
	remove(t, s.Array, v.Handle)
}

func revokeShared(t *testing.T, s Subject) {
	v, first, second := create(t, s.Array, "pvc-1"), node(t, 1), node(t, 2)
	grant(t, s.Array, v, first, san.Mode{Shared: true})
	grant(t, s.Array, v, second, san.Mode{Shared: true})
	logout := s.Login(t, v, first)
	s.Login(t, v, second)
	wants(t, s.Array.Revoke(briefly(t), v.Handle, first), san.ErrUnavailable, first.IQN, second.IQN)
	counts(t, "sessions", s.Sessions(), 2)
	counts(t, "nodes", len(get(t, s.Array, v.Handle).Nodes), 2)
	logout()
	must(t, s.Array.Revoke(t.Context(), v.Handle, first))
	counts(t, "sessions", s.Sessions(), 1)
	counts(t, "nodes", len(get(t, s.Array, v.Handle).Nodes), 1)
}

func revokeLeavesOthers(t *testing.T, s Subject) {
	one, two, n := create(t, s.Array, "pvc-1"), create(t, s.Array, "pvc-2"), node(t, 1)
	grant(t, s.Array, one, n, san.Mode{})
	g := grant(t, s.Array, two, n, san.Mode{})
	s.Login(t, two, n)
	must(t, s.Array.Revoke(t.Context(), one.Handle, n))
	counts(t, "sessions", s.Sessions(), 1)
	if again := grant(t, s.Array, two, n, san.Mode{}); again.Epoch != g.Epoch {
		t.Errorf("the other volume's epoch went from %d to %d", g.Epoch, again.Epoch)
	}
}
