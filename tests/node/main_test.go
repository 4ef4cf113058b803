//go:build guest

// Package node tests the whole driver where it works: in a virtual machine with
// Debian's kernel, iscsid, multipathd and udev, against san-array, and with what
// can go wrong there also against LIO and tgtd. With -short it is the list for
// every change.
package node

import (
	"context"
	"os"
	"slices"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"

	"github.com/san-csi/san-csi/tests/guest"
	"github.com/san-csi/san-csi/tests/lab"
)

func TestMain(m *testing.M) {
	guest.Isolate()
	os.Exit(m.Run())
}

// TestNode runs every part on one array and one node, the driver started anew
// for each; after each, nothing may be left on either.
func TestNode(t *testing.T) {
	b := boot(t)
	for _, part := range []struct {
		name   string
		driver []string // arguments
		test   func(*testing.T, *bench)
	}{
		{"filesystems", nil, testFilesystems},
		{"fsck", nil, testFsck},
		{"block", nil, testBlock},
		{"foreign data", nil, testForeignData},
		{"wrong grants", nil, testWrongGrants},
		{"wrong calls", nil, testWrongCalls},
		{"unreadable", nil, testUnreadable},
		{"broken", nil, testBroken},
		{"cut off", nil, testCutOff},
		{"in use", nil, testInUse},
		{"dead array", nil, testDeadArray},
		{"patience", []string{"--replacement-timeout=10m"}, testPatience},
		{"others", nil, testOthers},
		{"reconciler", []string{"--reconcile-interval=1s"}, testReconciler},
		{"chap", nil, testCHAP},
		{"wrong secret", nil, testWrongSecret},
		{"rotated secret", nil, testRotation},
		{"own initiator", nil, testOwnInitiator},
		// The array's files are looked at by number before there is a snapshot: lab.VolumeFile.
		{"clones", nil, testClones},
		{"twins", nil, testTwins},
		{"readers", nil, testReaders},
		{"sanity", []string{"--max-volumes=3"}, testSanity},
	} {
		if testing.Short() && slices.Contains(slow, part.name) {
			continue
		}
		t.Run(part.name, func(t *testing.T) {
			if err := b.node.StartDriver(t.Context(), part.driver...); err != nil {
				t.Fatal(err)
			}
			part.test(t, b)
		})
		checkNothingLeft(t, part.name, b) // the part has undone its volumes by now
	}
	checkSecrets(t, b)
}

// slow are the parts that are not for every change.
var slow = []string{"fsck", "reconciler", "rotated secret", "own initiator", "twins", "readers"}

// bench is the array and the node that the parts share.
type bench struct {
	lab  *lab.Lab
	node *lab.Node
	id   string // the node's, for ControllerPublishVolume
}

// boot starts an array, with further arguments, and a node with the driver. They
// end with the test.
func boot(t *testing.T, array ...string) *bench {
	t.Helper()
	l, err := lab.Open(t.Context(), "../../bin", array...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Array.Kill(); err != nil {
			t.Error(err)
		}
	})
	end, err := l.CollectSpans()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = end() })
	n, err := l.Boot(t.Context(), "node-a")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := n.VM.PowerOff(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := n.StartDriver(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &bench{lab: l, node: n, id: nodeID(t, n)}
}

// nodeID is the node's, for ControllerPublishVolume.
func nodeID(t *testing.T, n *lab.Node) string {
	t.Helper()
	info, err := csi.NewNodeClient(n.Conn).NodeGetInfo(t.Context(), &csi.NodeGetInfoRequest{})
	if err != nil {
		log, _ := n.VM.Get(t.Context(), lab.Log)
		t.Fatalf("%v; the driver's log:\n%s", err, log)
	}
	return info.GetNodeId()
}

// sh runs a shell script on the node.
func (b *bench) sh(t *testing.T, script string) string {
	t.Helper()
	out, err := b.node.VM.Run(t.Context(), script)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// short is what of a table every change has to pass: with -short its first n
// rows, else all.
func short[T any](all []T, n int) []T {
	if testing.Short() {
		return all[:n]
	}
	return all
}

// checkNothingLeft looks at the array and at the node.
func checkNothingLeft(t *testing.T, after string, b *bench) {
	t.Helper()
	if left, err := b.lab.Leftovers(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("left on the array after %s: %q, %v", after, left, err)
	}
	checkNodeClean(t, b)
}

// checkNodeClean looks at the node alone.
func checkNodeClean(t *testing.T, b *bench) {
	t.Helper()
	if left, err := b.node.Leftovers(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("left on the node: %q, %v", left, err)
	}
}
