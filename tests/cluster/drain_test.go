//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	drainedPods   = 5
	claimsOfEach  = 4 // 20 volumes
	drainWaitFlag = "--timeout=480s"
)

// testDrain: a node with 20 volumes is drained. Its pods have all of them on the
// other node, with their data, and nothing is left on the first.
func testDrain(t *testing.T, b *bench) {
	from, to := b.Workers[0], b.Workers[1]
	t.Cleanup(func() { _, _ = b.Kubectl(context.Background(), "uncordon", from.Name, to.Name) }) // where the test ended early
	b.must(t, "cordon", to.Name)
	b.apply(t, statefulSet("drained", drainedPods, claimsOfEach))
	b.setRuns(t, "drained", drainedPods, from.Name)
	written := map[string]string{}
	for n := range drainedPods {
		pod := fmt.Sprintf("drained-%d", n)
		written[pod] = b.sh(t, pod, "for d in /data*; do dd if=/dev/urandom of=$d/f bs=64k count=4 conv=fsync 2>/dev/null; done; md5sum /data*/f")
	}
	if n := b.sessionsOf(t, from); n != drainedPods*claimsOfEach {
		t.Errorf("%s has %d sessions, want %d", from.Name, n, drainedPods*claimsOfEach)
	}
	b.must(t, "uncordon", to.Name)

	start := time.Now()
	b.must(t, "drain", from.Name, "--ignore-daemonsets", "--delete-emptydir-data", drainWaitFlag)
	t.Logf("drained after %.0f s", time.Since(start).Seconds())
	b.setRuns(t, "drained", drainedPods, to.Name)
	t.Logf("all on the other node after %.0f s", time.Since(start).Seconds())
	for pod, sums := range written {
		if got := b.sh(t, pod, "md5sum /data*/f"); got != sums || strings.Count(sums, "\n") != claimsOfEach-1 {
			t.Errorf("%s reads %q, written was %q", pod, got, sums)
		}
	}
	b.checkNodeClean(t, from)
	if left, there := b.sessionsOf(t, from), b.sessionsOf(t, to); left != 0 || there != drainedPods*claimsOfEach {
		t.Errorf("sessions: %d of the drained node, %d of the other", left, there)
	}
	b.must(t, "uncordon", from.Name)
	b.removeSet(t, "drained")
	b.checkNodeClean(t, to)
}
