package element

import (
	"context"
	"slices"
	"testing"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// TestAccessKilledBetweenCalls: the controller dies after each of the array
// calls of a grant or a revoke, whose answer it does not get. The next process
// repeats it, and nothing of its outcome is lost: who gets in, who is kept out.
func TestAccessKilledBetweenCalls(t *testing.T) {
	a, other := testNode(t, "a"), testNode(t, "b")
	shared := san.Mode{Shared: true}
	for name, c := range map[string]struct {
		before func(*testing.T, *bench, *Array, san.Volume)
		op     func(context.Context, *Array, san.Volume) error
		after  func(*testing.T, *bench, *Array, san.Volume)
	}{
		"grant": {
			before: func(*testing.T, *bench, *Array, san.Volume) {},
			op: func(ctx context.Context, array *Array, v san.Volume) error {
				_, err := array.Grant(ctx, v.Handle, a, san.Mode{})
				return err
			},
			after: func(t *testing.T, b *bench, array *Array, v san.Volume) {
				expectHolders(t, b, v, a)
				_, err := array.Grant(t.Context(), v.Handle, other, san.Mode{})
				expect(t, err, san.ErrBusy, a.String())
			},
		},
		"revoke": {
			before: func(t *testing.T, b *bench, array *Array, v san.Volume) { give(t, array, v, a, san.Mode{}) },
			op:     revokeOf(a),
			after: func(t *testing.T, b *bench, array *Array, v san.Volume) {
				expectHolders(t, b, v)
				expectBarred(t, array, v, a, 0)
			},
		},
		"revoke with a session": {
			before: func(t *testing.T, b *bench, array *Array, v san.Volume) {
				give(t, array, v, a, san.Mode{})
				b.login(t, v, a)
			},
			op: revokeOf(a),
			after: func(t *testing.T, b *bench, array *Array, v san.Volume) {
				expectHolders(t, b, v)
				expectBarred(t, array, v, a, 1)
				if n := len(b.sessions()); n != 0 {
					t.Errorf("%d sessions are left", n)
				}
			},
		},
		// The session ends before the next process looks: it must know all the same.
		"revoke beside another, whose session ends": {
			before: func(t *testing.T, b *bench, array *Array, v san.Volume) {
				give(t, array, v, a, shared)
				give(t, array, v, other, shared)
				logout := b.login(t, v, a)
				b.gate.after("ModifyVolume", func() { // the mark of the fence
					logout()
					for len(b.sessions()) != 0 {
					}
				})
			},
			op: revokeOf(a),
			after: func(t *testing.T, b *bench, array *Array, v san.Volume) {
				expectHolders(t, b, v, other)
				expectBarred(t, array, v, a, 1)
			},
		},
		"confirmation": {
			before: func(t *testing.T, b *bench, array *Array, v san.Volume) {
				give(t, array, v, a, san.Mode{})
				b.login(t, v, a)
				must(t, array.Revoke(t.Context(), v.Handle, a))
			},
			op: func(ctx context.Context, array *Array, v san.Volume) error {
				return array.Confirm(ctx, v.Handle, a, 1)
			},
			after: func(t *testing.T, b *bench, array *Array, v san.Volume) { give(t, array, v, a, san.Mode{}) },
		},
	} {
		for who, remembers := range map[string]bool{"by the process that knows the volume": true, "by another": false} {
			t.Run(name+", "+who, func(t *testing.T) {
				for calls := 1; ; calls++ {
					b := newBench(t)
					dying := b.open(t, "east", "one")
					v := *makeVolume(t, dying, "pvc-1")
					c.before(t, b, dying, v)
					if !remembers {
						dying = b.open(t, "east", "two")
					}
					ctx, die := context.WithCancel(t.Context())
					survived := b.gate.cutAfter(calls, die)
					err := c.op(ctx, dying, v)
					if alive := survived(); alive == (err != nil) {
						t.Fatalf("killed after call %d: %t, and the operation ends with %v", calls, !alive, err)
					}
					next := b.open(t, "east", "three")
					must(t, c.op(t.Context(), next, v))
					c.after(t, b, next, v)
					must(t, next.Sweep(t.Context()))
					c.after(t, b, next, v)
					expectNoEmptyGroup(t, b)
					if err == nil {
						t.Logf("%d array calls", calls-1)
						return
					}
				}
			})
		}
	}
}

func give(t *testing.T, a *Array, v san.Volume, n san.Node, m san.Mode) {
	t.Helper()
	_, err := a.Grant(t.Context(), v.Handle, n, m)
	must(t, err)
}

func revokeOf(n san.Node) func(context.Context, *Array, san.Volume) error {
	return func(ctx context.Context, a *Array, v san.Volume) error { return a.Revoke(ctx, v.Handle, n) }
}

// expectHolders checks record and groups: those nodes get in, and nobody else.
func expectHolders(t *testing.T, b *bench, v san.Volume, want ...san.Node) {
	t.Helper()
	raw := b.volume(t, v.Handle.Volume)
	r, err := readRecord(raw)
	must(t, err)
	if !slices.Equal(r.nodes(), want) || r.fence != nil || raw.Access != api.AccessReadWrite {
		t.Errorf("record %+v, access %s; want grants of %v", r, raw.Access, want)
	}
	var in []san.Node
	for _, g := range b.groups(t) {
		if len(g.Volumes) == 0 {
			continue // lets nobody in, and is for Sweep
		}
		if n, ok := readGroup(g).node(); ok && slices.Equal(g.Volumes, []int64{raw.VolumeID}) {
			in = append(in, n)
			continue
		}
		t.Errorf("group %+v", g)
	}
	if !slices.Equal(in, want) {
		t.Errorf("nodes %v are let in; want %v", in, want)
	}
}

func expectNoEmptyGroup(t *testing.T, b *bench) {
	t.Helper()
	for _, g := range b.groups(t) {
		if len(g.Volumes) == 0 {
			t.Errorf("group %+v is left", g)
		}
	}
}

func expectBarred(t *testing.T, a *Array, v san.Volume, n san.Node, want int64) {
	t.Helper()
	if epoch, err := a.Barred(t.Context(), v.Handle, n); err != nil || epoch != want {
		t.Errorf("%v is barred up to epoch %d, %v; want %d", n, epoch, err, want)
	}
}
