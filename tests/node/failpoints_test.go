//go:build guest

package node

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/san-csi/san-csi/tests/lab"
)

// calls are a volume's life on a node.
var calls = []struct {
	name string
	do   func(*volume, context.Context) error
}{
	{"stage", (*volume).stage},
	{"publish", (*volume).publish},
	{"unpublish", (*volume).unpublish},
	{"unstage", (*volume).unstage},
}

// killed is the node with failpoints, in the place of the driver's.
type killed struct {
	*field
	points *bench
	source source
	kind   string
}

// testFailpoints kills the node at every step of every call, twice; the next try
// succeeds, and after the volume's life nothing is left. What a stage or publish
// left that was killed is also taken apart without another try of it.
func testFailpoints(t *testing.T, f *field, s source) {
	if err := f.node.StartDriver(t.Context(), "--mode=controller"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.node.StartDriver(context.Background()); err != nil {
			t.Error(err)
		}
	})
	node, err := f.node.Failpoints()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.KillDriver(context.Background()); err != nil {
			t.Error(err)
		}
	})
	must(t, node.RestartDriver)
	for _, kind := range []string{"ext4", "block"} {
		k := &killed{field: f, points: &bench{lab: f.lab, node: node, id: f.id}, source: s, kind: kind}
		steps := k.steps(t)
		for i, c := range calls {
			t.Logf("%s of %s: %d steps: %s", c.name, kind, len(steps[i]), strings.Join(steps[i], ", "))
			for n, step := range steps[i] {
				t.Run(fmt.Sprintf("%s/%s/%d %s", kind, c.name, n+1, step), func(t *testing.T) { k.killAt(t, i, n+1) })
			}
		}
	}
}

// before is a volume whose node's calls go to the node with failpoints, brought
// to where the call may be made.
func (k *killed) before(t *testing.T, call int) *volume {
	t.Helper()
	c := mounted(k.kind)
	if k.kind == "block" {
		c = raw()
	}
	v := k.source.volume(t, "pvc-failpoint", c)
	v.nodes = k.points
	for _, earlier := range calls[:call] {
		must(t, func(ctx context.Context) error { return earlier.do(v, ctx) })
	}
	return v
}

// steps are those of each call.
func (k *killed) steps(t *testing.T) (all [][]string) {
	t.Helper()
	v := k.before(t, 0)
	for _, c := range calls {
		must(t, func(ctx context.Context) error { return c.do(v, ctx) })
		all = append(all, strings.Split(strings.TrimSpace(k.sh(t, "cat "+lab.FailpointSteps)), "\n"))
		if len(all[len(all)-1]) < 3 {
			t.Fatalf("%s takes the steps %q", c.name, all[len(all)-1])
		}
	}
	k.checkClean(t)
	return all
}

func (k *killed) killAt(t *testing.T, call, step int) {
	v := k.before(t, call)
	if !k.kill(t, v, call, step) {
		t.Error("the node took fewer steps than before")
	}
	k.kill(t, v, call, step) // what is done need not be done again: it may take fewer
	for _, c := range calls[call:] {
		must(t, func(ctx context.Context) error { return c.do(v, ctx) })
		if c.name == "publish" {
			k.sh(t, "dd if=/dev/zero of="+v.file(k.kind)+" bs=4096 count=1 conv=notrunc,fsync 2>/dev/null")
		}
	}
	k.checkClean(t)
	if taking := []string{"unpublish", "unstage"}; slices.Contains(taking, calls[call].name) {
		return
	}
	for _, c := range calls[:call] {
		must(t, func(ctx context.Context) error { return c.do(v, ctx) })
	}
	k.kill(t, v, call, step)
	must(t, v.unpublish, v.unstage)
	k.checkClean(t)
}

// file is what a pod writes to.
func (v *volume) file(kind string) string {
	if kind == "block" {
		return v.target
	}
	return v.target + "/file"
}

// kill makes the call and tells whether the node died of it; it is started again.
func (k *killed) kill(t *testing.T, v *volume, call, step int) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := calls[call].do(v, metadata.AppendToOutgoingContext(ctx, "failpoint-die-at", strconv.Itoa(step)))
	if err == nil {
		return false
	}
	if status.Code(err) != codes.Unavailable || k.alive(t) {
		t.Fatalf("%s, to be killed at step %d: %v", calls[call].name, step, err)
	}
	must(t, k.points.node.RestartDriver)
	return true
}

// alive tells whether the node still runs a second after its connection ended.
func (k *killed) alive(t *testing.T) bool {
	t.Helper()
	return k.sh(t, "for i in $(seq 50); do pidof failpoint >/dev/null || exit 0; usleep 20000; done; echo alive") != ""
}
