//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/tests/lab"
)

// worker and otherThan are workers by their name, and by who they are not.
func (b *bench) worker(name string) *Worker {
	return b.Workers[slices.IndexFunc(b.Workers, func(w *Worker) bool { return w.Name == name })]
}

func (b *bench) otherThan(name string) *Worker {
	return b.Workers[slices.IndexFunc(b.Workers, func(w *Worker) bool { return w.Name != name })]
}

// onNode runs a shell script on a worker, also on one that is cut off.
func (b *bench) onNode(t *testing.T, w *Worker, script string) string {
	t.Helper()
	out, err := w.VM.Run(t.Context(), script)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// dropCaches has a worker read from its disks what it reads next.
func (b *bench) dropCaches(t *testing.T, w *Worker) {
	t.Helper()
	b.onNode(t, w, "sync; echo 3 > /proc/sys/vm/drop_caches")
}

// checkNodeClean: within a step's time a worker has no session, device, mount or record of
// any volume.
func (b *bench) checkNodeClean(t *testing.T, w *Worker) {
	t.Helper()
	b.until(t, func(ctx context.Context) error {
		left, err := (&lab.Node{VM: w.VM}).Leftovers(ctx)
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("left on %s: %q", w.Name, left)
		}
		return err
	})
}

// sessionsOf are a worker's sessions, as the array knows them.
func (b *bench) sessionsOf(t *testing.T, w *Worker) int {
	t.Helper()
	sessions, err := b.Lab.Element.ListISCSISessions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, s := range sessions {
		if s.InitiatorName == w.VM.IQN {
			n++
		}
	}
	return n
}

// driverState are the driver's pods and how often each of their containers was
// started again: where it stays as it is, nothing of the driver was restarted.
func (b *bench) driverState(t *testing.T) string {
	t.Helper()
	return b.must(t, "get", "pods", "--namespace", Namespace, "--sort-by=.metadata.name",
		`--output=jsonpath={range .items[*]}{.metadata.name}{range .status.containerStatuses[*]} {.name}={.restartCount}{end}{"\n"}{end}`)
}
