//go:build guest

package node

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/san-csi/san-csi/tests/guest"
)

// testWritesInMemory takes a volume from a node that still has writes in memory. Its
// successor's data is what the first node finds when it is granted the volume
// again, and publishes at once: nothing of the old writes came back.
func testWritesInMemory(t *testing.T, f *field, s source) {
	v := f.volume(t, "pvc-fenced", mounted("ext4"), nil)
	must(t, v.stage, v.publish)
	v.write(t)
	second := f.extraNode(t, guest.Config{Name: "successor"}, "--mode=node")

	f.sh(t, "dd if=/dev/urandom of="+v.target+"/data bs=1M count=8 conv=notrunc 2>/dev/null; echo old > "+v.target+"/old")
	must(t, v.unpublishFrom)

	w := *v
	w.b, w.nodes = f.bench, second
	w.target = w.pod("pod-2")
	must(t, func(ctx context.Context) error { return w.publishToNode(ctx, second.id) }, w.stage, w.publish)
	script := fmt.Sprintf("cd %s && dd if=/dev/urandom of=data bs=1M count=8 conv=notrunc,fsync 2>/dev/null && sha256sum data", w.target)
	sum := second.sh(t, script)
	must(t, w.unpublish, w.unstage, func(ctx context.Context) error { return w.unpublishFromNode(ctx, second.id) })
	checkNodeClean(t, second)

	v.again(t, "grant", v.publishTo)
	must(t, v.publish) // a kubelet that has not heard of the fence takes it for staged
	v.checkSum(t, sum)
	if out := f.sh(t, "ls "+v.target); strings.Contains(out, "old") {
		t.Errorf("a write of before the fence came back: %s", out)
	}
}

// extraNode is a second node for as long as the row takes.
func (f *field) extraNode(t *testing.T, config guest.Config, args ...string) *bench {
	t.Helper()
	n, err := f.lab.BootAs(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := n.VM.PowerOff(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := n.StartDriver(t.Context(), args...); err != nil {
		t.Fatal(err)
	}
	return &bench{lab: f.lab, node: n, id: nodeID(t, n)}
}
