package santest

import (
	"errors"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/san"
)

func fenceTests() map[string]func(*testing.T, Subject) {
	return map[string]func(*testing.T, Subject){
		"Fence/bars a node that kept a session":       fenceBars,
		"Fence/bars nobody without a session":         fenceWithoutSession,
		"Fence/does not bar others":                   fenceOthers,
		"Fence/bars the initiator under another name": fenceRenamed,
		"Fence/bars a node while others hold it":      fenceShared,
		"Fence/takes no confirmation of less":         fenceOldConfirmation,
		"Fence/goes with the volume":                  fenceDeleted,
	}
}

// fenced is a volume that the node was fenced from with a session alive, at that
// epoch.
func fenced(t *testing.T, s Subject, n san.Node) (san.Volume, int64) {
	t.Helper()
	v := create(t, s.Array, "pvc-1")
	g := grant(t, s.Array, v, n, san.Mode{})
	s.Login(t, v, n)
	must(t, s.Array.Revoke(t.Context(), v.Handle, n))
	counts(t, "sessions", s.Sessions(), 0)
	return v, g.Epoch
}

// barred checks that the node gets no grant until it has confirmed that epoch.
func barred(t *testing.T, a san.Array, v san.Volume, n san.Node, epoch int64) {
	t.Helper()
	_, err := a.Grant(t.Context(), v.Handle, n, san.Mode{})
	wants(t, err, san.ErrUnavailable, v.Handle.String(), n.String())
	var f *san.FencedError
	if !errors.As(err, &f) || f.Volume != v.Handle || f.Node != n || f.Epoch != epoch || !strings.Contains(err.Error(), "confirm") {
		t.Fatalf("error %v; want a FencedError of %v, %v at epoch %d", err, v.Handle, n, epoch)
	}
	tells(t, a, v, n, epoch)
}

// tells checks what is told of a node.
func tells(t *testing.T, a san.Array, v san.Volume, n san.Node, want int64) {
	t.Helper()
	epoch, err := a.Barred(t.Context(), v.Handle, n)
	must(t, err)
	if epoch != want {
		t.Errorf("%v is barred up to epoch %d; want %d", n, epoch, want)
	}
}

func fenceBars(t *testing.T, s Subject) {
	n := node(t, 1)
	v, epoch := fenced(t, s, n)
	barred(t, s.Array, v, n, epoch)
	barred(t, s.Restart(t), v, n, epoch)
	must(t, s.Array.Revoke(t.Context(), v.Handle, n)) // again: the attacher may
	must(t, s.Array.Sweep(t.Context()))
	barred(t, s.Array, v, n, epoch)
	counts(t, "nodes", len(get(t, s.Array, v.Handle).Nodes), 0)
	for range 2 {
		must(t, s.Array.Confirm(t.Context(), v.Handle, n, epoch))
		tells(t, s.Array, v, n, 0)
	}
	if g := grant(t, s.Array, v, n, san.Mode{}); g.Epoch <= epoch {
		t.Errorf("the new grant has epoch %d, the fence was at %d", g.Epoch, epoch)
	}
}

func fenceWithoutSession(t *testing.T, s Subject) {
	v, n := create(t, s.Array, "pvc-1"), node(t, 1)
	grant(t, s.Array, v, n, san.Mode{})
	logout := s.Login(t, v, n)
	logout()
	eventually(t, "the session to end", func() bool { return s.Sessions() == 0 })
	must(t, s.Array.Revoke(t.Context(), v.Handle, n))
	tells(t, s.Array, v, n, 0)
	grant(t, s.Array, v, n, san.Mode{})
}

func fenceOthers(t *testing.T, s Subject) {
	n, other := node(t, 1), node(t, 2)
	v, epoch := fenced(t, s, n)
	tells(t, s.Array, v, other, 0)
	grant(t, s.Array, v, other, san.Mode{})
	_, err := s.Array.Grant(t.Context(), v.Handle, n, san.Mode{})
	wants(t, err, san.ErrUnavailable)
	must(t, s.Array.Revoke(t.Context(), v.Handle, other))
	barred(t, s.Array, v, n, epoch)
	grant(t, s.Array, create(t, s.Array, "pvc-2"), n, san.Mode{}) // another volume
}

// fenceRenamed: a machine that joined again under another name is the same
// initiator with the same unwritten data.
func fenceRenamed(t *testing.T, s Subject) {
	n := node(t, 1)
	v, epoch := fenced(t, s, n)
	renamed, err := san.NewNode(n.IQN, "another-name")
	must(t, err)
	barred(t, s.Array, v, renamed, epoch)
	must(t, s.Array.Confirm(t.Context(), v.Handle, renamed, epoch))
	grant(t, s.Array, v, renamed, san.Mode{})
}

func fenceShared(t *testing.T, s Subject) {
	v, n, other := create(t, s.Array, "pvc-1"), node(t, 1), node(t, 2)
	shared := san.Mode{Shared: true}
	g := grant(t, s.Array, v, n, shared)
	grant(t, s.Array, v, other, shared)
	logout := s.Login(t, v, n)
	s.Login(t, v, other)
	wants(t, s.Array.Revoke(briefly(t), v.Handle, n), san.ErrUnavailable)
	next := s.Restart(t)
	_, err := next.Grant(t.Context(), v.Handle, n, shared)
	wants(t, err, san.ErrUnavailable, n.String())
	// The node confirms before the attacher comes again: its grant goes on, but
	// not under the epoch that is over.
	logout()
	eventually(t, "the session to end", func() bool { return s.Sessions() == 1 })
	must(t, next.Confirm(t.Context(), v.Handle, n, g.Epoch))
	if again := grant(t, next, v, n, shared); again.Epoch <= g.Epoch {
		t.Errorf("epoch %d, the fence was at %d", again.Epoch, g.Epoch)
	}
	counts(t, "sessions", s.Sessions(), 1)
	must(t, next.Revoke(t.Context(), v.Handle, n))
	tells(t, next, v, n, 0)
}

func fenceOldConfirmation(t *testing.T, s Subject) {
	n := node(t, 1)
	v, epoch := fenced(t, s, n)
	must(t, s.Array.Confirm(t.Context(), v.Handle, n, epoch-1))
	must(t, s.Array.Confirm(t.Context(), v.Handle, node(t, 2), epoch))
	barred(t, s.Array, v, n, epoch)
}

func fenceDeleted(t *testing.T, s Subject) {
	n := node(t, 1)
	v, epoch := fenced(t, s, n)
	_, err := s.Array.Delete(t.Context(), v.Handle)
	must(t, err)
	tells(t, s.Array, v, n, 0)
	must(t, s.Array.Confirm(t.Context(), v.Handle, n, epoch))
}
