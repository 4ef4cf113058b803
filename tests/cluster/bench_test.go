//go:build cluster

package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	// stepWait bounds one step, such as a pod that becomes ready.
	stepWait = 5 * time.Minute
	stepFlag = "--timeout=300s"
	// lookEvery is the time between two looks at what nothing can be waited for.
	lookEvery = time.Second
)

// bench is the cluster that the parts share.
type bench struct {
	*Cluster
	ran     int               // parts until now
	whole   bool              // the part that runs comes after all of its predecessors
	secrets map[string]string // that were used, by what they are of
}

// describe logs what a person would look at after a failure.
func (b *bench) describe(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{
		{"get", "pods,pvc,pv,volumeattachments", "--all-namespaces", "--output=wide"},
		{"get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"},
		{"logs", "--namespace", Namespace, "--selector=app.kubernetes.io/name=san-csi", "--all-containers", "--prefix", "--tail=40"},
	} {
		out, err := b.Kubectl(context.Background(), args...)
		t.Logf("kubectl %v: %v\n%s", args, err, out)
	}
}

// clear removes what a part that failed has left to the next one.
func (b *bench) clear(t *testing.T) {
	t.Helper()
	b.must(t, "delete", "statefulsets,pods,pvc", "--all", "--timeout=300s")
	b.noVolumes(t)
}

// must runs kubectl and returns what it printed.
func (b *bench) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := b.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// apply applies manifests; each part removes what it made.
func (b *bench) apply(t *testing.T, manifests ...string) {
	t.Helper()
	if err := b.Apply(t.Context(), strings.Join(manifests, "---\n")); err != nil {
		t.Fatal(err)
	}
}

// sh runs a shell script in a pod.
func (b *bench) sh(t *testing.T, pod, script string) string {
	t.Helper()
	return strings.TrimSpace(b.must(t, "exec", pod, "--", "/bin/sh", "-c", script))
}

// ready waits for pods.
func (b *bench) ready(t *testing.T, pods ...string) {
	t.Helper()
	for _, pod := range pods {
		b.must(t, "wait", "--for=condition=Ready", "pod/"+pod, stepFlag)
	}
}

// until looks until there is no error, and fails the test with the last one
// when the step's time is over.
func (b *bench) until(t *testing.T, look func(ctx context.Context) error) {
	t.Helper()
	b.within(t, stepWait, look)
}

// within is until for a step that takes another time.
func (b *bench) within(t *testing.T, wait time.Duration, look func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		err := look(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

// remove deletes a pod ("" for none) and then its claim, and waits until the
// claim's volume is gone.
func (b *bench) remove(t *testing.T, pod, claim string) {
	t.Helper()
	volume := b.volumeOf(t, claim)
	if pod != "" {
		b.must(t, "delete", "pod", pod, stepFlag)
	}
	b.must(t, "delete", "pvc", claim, stepFlag)
	b.must(t, "wait", "--for=delete", "pv/"+volume, stepFlag)
}

// noVolumes waits until there is no PersistentVolume.
func (b *bench) noVolumes(t *testing.T) {
	t.Helper()
	b.until(t, b.withoutVolumes)
}

func (b *bench) withoutVolumes(ctx context.Context) error {
	left, err := b.Kubectl(ctx, "get", "pv", "--output=name")
	if err == nil && left != "" {
		err = fmt.Errorf("volumes are left: %s", left)
	}
	return err
}

// volumeOf is the name of a claim's PersistentVolume.
func (b *bench) volumeOf(t *testing.T, claim string) string {
	t.Helper()
	return b.must(t, "get", "pvc", claim, "--output=jsonpath={.spec.volumeName}")
}

// nodeOf is where a pod runs.
func (b *bench) nodeOf(t *testing.T, pod string) string {
	t.Helper()
	return b.must(t, "get", "pod", pod, "--output=jsonpath={.spec.nodeName}")
}

// checkGone: nothing of deleted claims is left on the array.
func (b *bench) checkGone(t *testing.T) {
	t.Helper()
	left, err := b.Lab.Leftovers(t.Context())
	if err != nil || len(left) > 0 {
		t.Errorf("left on the array: %q, %v", left, err)
	}
}
