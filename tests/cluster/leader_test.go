//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/element"
)

// controllerSelector selects the controllers' pods.
const controllerSelector = "app.kubernetes.io/component=controller"

// burst is how many claims are made at once.
const burst = 20

// testLeaderKilled: in the middle of a burst of claims the leader is killed
// twice, once its process, which comes back, and once its pod, so that the
// standby takes over. Every claim is bound, to one volume of its own.
func testLeaderKilled(t *testing.T, b *bench) {
	b.checkStandby(t)
	var claims []string
	for i := range burst {
		claims = append(claims, claim(fmt.Sprintf("burst-%d", i), NowClass))
	}
	b.apply(t, claims...)
	b.until(t, b.bound(1))
	if err := b.KillContainer(t.Context(), b.leader(t), "san-csi"); err != nil {
		t.Fatal(err)
	}
	b.until(t, b.bound(burst/4))
	killed := b.leader(t)
	b.must(t, "delete", "pod", "--namespace", Namespace, killed, "--grace-period=0", "--force")
	b.must(t, "wait", "--for=jsonpath={.status.phase}=Bound", "pvc", "--selector=made-by=test", stepFlag)
	if now := b.leader(t); now == killed {
		t.Errorf("the Lease is still held by %s, which was deleted", now)
	}
	b.checkOneVolumeEach(t)
	b.must(t, "delete", "pvc", "--selector=made-by=test", stepFlag)
	b.noVolumes(t)
	b.checkGone(t)
}

// checkStandby: the standby's containers wait, none was restarted.
func (b *bench) checkStandby(t *testing.T) {
	t.Helper()
	out := b.must(t, "get", "pods", "--namespace", Namespace, "--selector="+controllerSelector,
		"--output=jsonpath={range .items[*].status.containerStatuses[*]}{.name}={.restartCount}/{.ready} {end}")
	states := strings.Fields(out)
	if len(states) != 8 {
		t.Errorf("two controllers of a driver and three sidecars, seen: %q", states)
	}
	for _, state := range states {
		if !strings.HasSuffix(state, "=0/true") {
			t.Errorf("container %s: want no restart, and ready", state)
		}
	}
}

// leader is the pod that holds the Lease.
func (b *bench) leader(t *testing.T) string {
	t.Helper()
	return b.must(t, "get", "lease", "san-csi.io", "--namespace", Namespace, "--output=jsonpath={.spec.holderIdentity}")
}

// bound looks whether so many claims are bound.
func (b *bench) bound(want int) func(context.Context) error {
	return func(ctx context.Context) error {
		out, err := b.Kubectl(ctx, "get", "pvc", "--selector=made-by=test", "--output=jsonpath={.items[*].status.phase}")
		if got := strings.Count(out, "Bound"); err == nil && got < want {
			err = fmt.Errorf("%d claims are bound, want %d", got, want)
		}
		return err
	}
}

// checkOneVolumeEach: the array has the volumes of the claims, each once, and no others.
func (b *bench) checkOneVolumeEach(t *testing.T) {
	t.Helper()
	volumes, err := b.Lab.Element.ListVolumes(t.Context(), element.ListVolumesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	onArray := map[string]bool{}
	for _, v := range volumes {
		onArray[strconv.FormatInt(v.VolumeID, 10)] = true
	}
	handles := strings.Fields(b.must(t, "get", "pv", "--output=jsonpath={.items[*].spec.csi.volumeHandle}"))
	for _, handle := range handles {
		id := strings.Split(handle, ":")[1]
		if !onArray[id] {
			t.Errorf("volume %s of a claim is not on the array, or is another claim's too", handle)
		}
		delete(onArray, id)
	}
	if len(handles) != burst || len(onArray) != 0 {
		t.Errorf("%d claims have volumes, want %d; without a claim are on the array: %v", len(handles), burst, onArray)
	}
}
