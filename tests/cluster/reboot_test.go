//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// testNodeRebooted: a node is reset with volumes in use. No session comes back
// by itself, not even by what distributions run at boot; the pods come back, with
// their data.
func testNodeRebooted(t *testing.T, b *bench) {
	w := b.Workers[0]
	const head = "dd if=/dev/volume bs=1M count=4 iflag=direct 2>/dev/null | md5sum"
	b.apply(t, claim("boot-1", Class), pod("boot-1", "boot-1", on(w.Name)), claim("boot-2", Class), pod("boot-2", "boot-2", on(w.Name)),
		claim("boot-3", Class, "volumeMode: Block"), blockPod("boot-3", "boot-3", on(w.Name)))
	b.ready(t, "boot-1", "boot-2", "boot-3")
	sums := []string{b.sh(t, "boot-1", write4M), b.sh(t, "boot-2", write4M)}
	block := b.sh(t, "boot-3", "dd if=/dev/urandom of=/dev/volume bs=1M count=4 oflag=direct conv=fsync 2>/dev/null; "+head)

	if err := w.VM.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.VM.StartISCSI(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What open-iscsi's own unit does at boot; without a record for it it fails.
	records := b.onNode(t, w, "iscsiadm -m node | wc -l; iscsiadm -m node --loginall=automatic >&2 || true")
	if n := b.onNode(t, w, "ls /sys/class/iscsi_session | wc -l"); n != "0" || records != "3" {
		t.Errorf("of %s node records %s sessions came back by themselves; want 3 and 0", records, n)
	}
	if err := w.StartKubelet(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.cameBack(t, "boot-1", "boot-2", "boot-3")
	for i, pod := range []string{"boot-1", "boot-2"} {
		b.checkSum(t, pod, sums[i])
	}
	if got := b.sh(t, "boot-3", head); got != block {
		t.Errorf("boot-3 reads %q, written was %q", got, block)
	}
	for _, name := range []string{"boot-1", "boot-2", "boot-3"} {
		b.remove(t, name, name)
	}
	b.checkGone(t)
	b.checkNodeClean(t, w)
}

// cameBack waits until the kubelet has started pods again, after it had forgotten
// that they run.
func (b *bench) cameBack(t *testing.T, pods ...string) {
	t.Helper()
	b.within(t, setWait, func(ctx context.Context) error {
		out, err := b.Kubectl(ctx, append([]string{"get", "pods", "--output=jsonpath={range .items[*]}{.status.containerStatuses[0].restartCount}/{.status.containerStatuses[0].ready} {end}"}, pods...)...)
		if err == nil && strings.Fields(out) == nil || strings.Contains(out, "0/") || strings.Contains(out, "false") {
			err = fmt.Errorf("pods %v are (restarts/ready) %s", pods, out)
		}
		return err
	})
}
