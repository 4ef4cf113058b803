package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/san"
)

// board is notices that a test reads and answers.
type board struct {
	told      []string
	deaf      error
	confirmed func(ctx context.Context, nodeID, volumeID string, epoch int64) error
}

func (b *board) Tell(nodeID, volumeID string, epoch int64) error {
	b.told = append(b.told, fmt.Sprintf("%s %s %d", nodeID, volumeID, epoch))
	return b.deaf
}

func (b *board) Follow(_ context.Context, confirmed func(context.Context, string, string, int64) error) {
	b.confirmed = confirmed
}

const fencedVolume = "array-1:5:0a1b2c3d"

func fencedNode(t *testing.T) san.Node {
	t.Helper()
	n, err := san.NewNode("iqn.1993-08.org.debian:01:a", "a")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestFencedNodeIsTold: after a revoke that left something behind, at once, even
// where the fence did not end; and when the node is to get the volume again.
func TestFencedNodeIsTold(t *testing.T) {
	n := fencedNode(t)
	notice := fmt.Sprintf("%s %s 7", n, fencedVolume)
	for name, c := range map[string]struct {
		barred bool
		down   error
		node   string
		grant  bool
		told   []string
	}{
		"nothing left":             {node: n.String()},
		"a session was left":       {barred: true, node: n.String(), told: []string{notice}},
		"it is left still":         {barred: true, down: san.ErrUnavailable, node: n.String(), told: []string{notice}},
		"refused":                  {barred: true, down: san.ErrBusy, node: n.String()},
		"a node that cannot be":    {barred: true, node: "no node"},
		"every node":               {barred: true},
		"granted anew":             {barred: true, node: n.String(), grant: true, told: []string{notice}},
		"granted, and nothing was": {node: n.String(), grant: true},
	} {
		t.Run(name, func(t *testing.T) {
			array, b := newMemory("array-1"), &board{}
			array.fenceless = c.down
			if c.barred {
				array.barred = map[san.Node]int64{n: 7}
			}
			f := NewFences(flows(t, array), b)
			var err error
			if c.grant {
				_, err = f.Grant(t.Context(), fencedVolume, c.node, san.Mode{})
			} else {
				err = f.Revoke(t.Context(), fencedVolume, c.node)
			}
			if want := c.down; !c.grant && !errors.Is(err, want) || c.grant && (err != nil) != c.barred {
				t.Errorf("%v; want %v", err, want)
			}
			if !slices.Equal(b.told, c.told) {
				t.Errorf("told %q; want %q", b.told, c.told)
			}
		})
	}
}

// TestGrantNamesTheWayOut: who waits for what, and why nobody answers.
func TestGrantNamesTheWayOut(t *testing.T) {
	n := fencedNode(t)
	for _, c := range []struct {
		deaf  error
		words []string
	}{
		{nil, []string{n.String(), fencedVolume, "epoch 7", "reboot"}},
		{errors.New("no Lease"), []string{n.String(), fencedVolume, "epoch 7", "no Lease", "docs/fencing.md"}},
	} {
		array := newMemory("array-1")
		array.barred = map[san.Node]int64{n: 7}
		_, err := NewFences(flows(t, array), &board{deaf: c.deaf}).Grant(t.Context(), fencedVolume, n.String(), san.Mode{})
		if !errors.Is(err, san.ErrUnavailable) {
			t.Errorf("%v; want %v", err, san.ErrUnavailable)
		}
		for _, word := range c.words {
			if err != nil && !strings.Contains(err.Error(), word) {
				t.Errorf("%q does not say %q", err, word)
			}
		}
	}
}

// TestConfirmationReachesTheArray: and one about what cannot be a volume ends well,
// so that it is not repeated for ever.
func TestConfirmationReachesTheArray(t *testing.T) {
	n, array, b := fencedNode(t), newMemory("array-1"), &board{}
	array.barred = map[san.Node]int64{n: 7}
	f := NewFences(flows(t, array), b)
	f.Run(t.Context())
	array.down = san.ErrUnavailable
	if err := b.confirmed(t.Context(), n.String(), fencedVolume, 7); !errors.Is(err, san.ErrUnavailable) || len(array.barred) != 1 {
		t.Errorf("the array is down: %v, barred %v", err, array.barred)
	}
	array.down = nil
	if err := b.confirmed(t.Context(), n.String(), "array-2:5:0a1b2c3d", 7); err == nil {
		t.Error("an array that is not configured now may come back, and has the fence")
	}
	for _, volume := range []string{"no volume", fencedVolume} {
		if err := b.confirmed(t.Context(), n.String(), volume, 7); err != nil {
			t.Errorf("%s: %v", volume, err)
		}
	}
	if _, err := f.Grant(t.Context(), fencedVolume, n.String(), san.Mode{}); err != nil {
		t.Error(err)
	}
}
