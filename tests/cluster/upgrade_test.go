//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/element"
)

// writer writes a block past the caches, again and again; it counts what was
// written and what failed.
const writer = `trap exit TERM; n=0
while :; do
  if dd if=/dev/urandom of=/data/w bs=4k count=1 oflag=direct conv=fsync 2>/dev/null; then n=$((n+1)); echo $n > /tmp/written.new; mv /tmp/written.new /tmp/written; else echo failed >> /tmp/failed; fi
  sleep 0.2
done`

const mountData = "volumeMounts: [{name: v, mountPath: /data}]"

// testUpgrade: the chart is upgraded under a pod that writes; all pods of the
// driver are replaced, no write fails, and the new driver takes the volume down.
func testUpgrade(t *testing.T, b *bench) {
	b.apply(t, claim("upgrade", Class), podRunning("upgrade", "upgrade", writer, mountData))
	b.ready(t, "upgrade")
	before := b.driverPods(t)
	if err := b.InstallDriver(t.Context(), "logLevel=5", "controller.podAnnotations.upgraded=yes", "node.podAnnotations.upgraded=yes"); err != nil {
		t.Fatal(err)
	}
	for _, pod := range b.driverPods(t) {
		if strings.Contains(strings.Join(before, " "), pod) {
			t.Errorf("pod %s was not replaced", pod)
		}
	}
	b.checkWriting(t, "upgrade")
	b.remove(t, "upgrade", "upgrade")
	b.checkGone(t)
}

// testUpgradePrevious: the chart and the driver of the release before are upgraded to
// these under pods that write on both nodes: all pods of the driver are replaced, no write
// fails, and the new driver moves and deletes what the old one made.
func testUpgradePrevious(t *testing.T, b *bench) {
	if err := b.UninstallDriver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.InstallPrevious(t.Context()); err != nil {
		t.Fatal(err)
	}
	writers := b.writers(t, "old")
	b.apply(t, claim("old-moves", Class), pod("old-moves-1", "old-moves", on("node-a")))
	b.ready(t, "old-moves-1")
	sum := b.sh(t, "old-moves-1", write4M)
	before := b.driverPods(t)
	if err := b.InstallDriver(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, pod := range b.driverPods(t) {
		if slices.Contains(before, pod) {
			t.Errorf("pod %s was not replaced", pod)
		}
	}
	writers.flow(t)
	b.must(t, "delete", "pod", "old-moves-1", stepFlag)
	b.apply(t, pod("old-moves-2", "old-moves", on("node-b")))
	b.ready(t, "old-moves-2")
	b.checkSum(t, "old-moves-2", sum)
	b.grow(t, "old-moves")
	b.remove(t, "old-moves-2", "old-moves")
	writers.end(t)
	b.checkGone(t)
}

// testUninstall: without the driver the pod writes on, claim and volume stay;
// installed again, the driver knows the volume.
func testUninstall(t *testing.T, b *bench) {
	b.apply(t, claim("stay", Class), podRunning("stay", "stay", writer, mountData))
	b.ready(t, "stay")
	sum := b.sh(t, "stay", write4M)
	volume := b.onArray(t, "stay")
	if err := b.UninstallDriver(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.checkWriting(t, "stay")
	if phase := b.must(t, "get", "pvc", "stay", "--output=jsonpath={.status.phase}"); phase != "Bound" {
		t.Errorf("the claim is %s", phase)
	}
	if now := b.onArray(t, "stay"); now.VolumeUUID != volume.VolumeUUID || now.Status != element.StatusActive {
		t.Errorf("the volume was %+v, is %+v", volume, now)
	}
	if err := b.InstallDriver(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.must(t, "delete", "pod", "stay", stepFlag)
	b.apply(t, pod("stay-2", "stay"))
	b.ready(t, "stay-2")
	b.checkSum(t, "stay-2", sum)
	b.remove(t, "stay-2", "stay")
	b.checkGone(t)
}

// checkWriting: the writer goes on, and no write has failed.
func (b *bench) checkWriting(t *testing.T, pod string) {
	t.Helper()
	before := b.number(t, pod, "cat /tmp/written")
	b.until(t, func(context.Context) error {
		if now := b.number(t, pod, "cat /tmp/written"); now < before+5 {
			return fmt.Errorf("%s has written %d blocks, before %d", pod, now, before)
		}
		return nil
	})
	if failed := b.sh(t, pod, "cat /tmp/failed 2>/dev/null || true"); failed != "" {
		t.Errorf("writes of %s failed: %s", pod, failed)
	}
}

// driverPods are the UIDs of the driver's pods.
func (b *bench) driverPods(t *testing.T) []string {
	t.Helper()
	return strings.Fields(b.must(t, "get", "pods", "--namespace", Namespace, "--field-selector=status.phase=Running", "--output=jsonpath={.items[*].metadata.uid}"))
}
