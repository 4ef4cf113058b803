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
const burst = 100

// testLeaderKilled: in the middle of a burst of claims the leader is killed:
// its process, which comes back, and then its pod, so that the standby takes
// over. Every claim is bound, to one volume of its own.
func testLeaderKilled(t *testing.T, b *bench) {
	b.checkStandby(t)
	for _, victim := range []struct {
		name string
		kill func(leader string) error
		// moves: another pod has the Lease afterwards.
		moves bool
	}{
		{"process", func(leader string) error { return b.KillContainer(t.Context(), leader, "san-csi") }, false},
		{"pod", func(leader string) error {
			_, err := b.Kubectl(t.Context(), "delete", "pod", "--namespace", Namespace, leader, "--grace-period=0", "--force")
			return err
		}, true},
	} {
		t.Run(victim.name, func(t *testing.T) {
			leader := b.leader(t)
			b.burst(t, func() error { return victim.kill(leader) })
			b.until(t, func(context.Context) error {
				if now := b.leader(t); victim.moves == (now == leader) {
					return fmt.Errorf("the Lease was held by %s and is by %s", leader, now)
				}
				return nil
			})
			b.checkOneVolumeEach(t)
			b.must(t, "delete", "pvc", "--selector=made-by=test", stepFlag)
			b.noVolumes(t)
			b.checkGone(t)
		})
	}
}

// burst makes the claims and strikes when the first is bound; it returns when
// all are.
func (b *bench) burst(t *testing.T, strike func() error) {
	t.Helper()
	var claims []string
	for i := range burst {
		claims = append(claims, claim(fmt.Sprintf("burst-%d", i), NowClass))
	}
	applied := make(chan error, 1)
	go func() { applied <- b.Apply(t.Context(), strings.Join(claims, "---\n")) }()
	b.until(t, b.bound(1))
	if err := strike(); err != nil {
		t.Fatal(err)
	}
	bound, err := b.countBound(t.Context())
	t.Logf("%d of %d claims were bound when the leader was gone: %v", bound, burst, err)
	if bound == burst {
		t.Error("the leader was killed too late: the burst was over")
	}
	if err := <-applied; err != nil {
		t.Fatal(err)
	}
	b.until(t, b.bound(burst))
}

// checkStandby: the standby's containers wait, none was restarted.
func (b *bench) checkStandby(t *testing.T) {
	t.Helper()
	out := b.must(t, "get", "pods", "--namespace", Namespace, "--selector="+controllerSelector,
		"--output=jsonpath={range .items[*].status.containerStatuses[*]}{.name}={.restartCount}/{.ready} {end}")
	states := strings.Fields(out)
	if len(states) != 10 {
		t.Errorf("two controllers of a driver and four sidecars, seen: %q", states)
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
		got, err := b.countBound(ctx)
		if err == nil && got < want {
			err = fmt.Errorf("%d claims are bound, want %d", got, want)
		}
		return err
	}
}

func (b *bench) countBound(ctx context.Context) (int, error) {
	out, err := b.Kubectl(ctx, "get", "pvc", "--selector=made-by=test", "--output=jsonpath={.items[*].status.phase}")
	return strings.Count(out, "Bound"), err
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
