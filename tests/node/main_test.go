//go:build guest

// Package node tests the whole driver where it works: in a virtual machine with
// Debian's kernel, iscsid and udev, against san-array.
package node

import (
	"os"
	"testing"

	"github.com/san-csi/san-csi/tests/guest"
	"github.com/san-csi/san-csi/tests/lab"
)

func TestMain(m *testing.M) {
	guest.Isolate()
	os.Exit(m.Run())
}

// start is an array and a node with the driver in it.
func start(t *testing.T, args ...string) (*lab.Lab, *lab.Node) {
	t.Helper()
	l, err := lab.Open(t.Context(), "../../bin")
	if err != nil {
		t.Fatal(err)
	}
	n, err := l.Boot(t.Context(), "node-a")
	if err != nil {
		t.Fatal(err)
	}
	if err := n.StartDriver(t.Context(), args...); err != nil {
		t.Fatal(err)
	}
	return l, n
}

// checkNothingLeft looks at the array and at the node.
func checkNothingLeft(t *testing.T, l *lab.Lab, n *lab.Node) {
	t.Helper()
	if left, err := l.Leftovers(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("left on the array: %q, %v", left, err)
	}
	if left, err := n.Leftovers(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("left on the node: %q, %v", left, err)
	}
}
