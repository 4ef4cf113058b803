//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

// Bounds of one step: of opening the cluster, of a pod that becomes ready, and
// of taking the cluster down.
const (
	openWait  = 8 * time.Minute
	podWait   = "--timeout=180s"
	closeWait = 2 * time.Minute
)

func TestMain(m *testing.M) {
	Isolate()
	os.Exit(m.Run())
}

// TestCluster runs every part on one cluster of two workers. Each part has
// names of its own and deletes what it made.
func TestCluster(t *testing.T) {
	b := open(t)
	for _, part := range []struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"data lives on", testDataLivesOn},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.test(t, b) }) {
			b.describe(t)
		}
	}
}

// bench is the cluster that the parts share.
type bench struct{ *Cluster }

func open(t *testing.T) *bench {
	t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), openWait)
	defer cancel()
	c, err := Open(ctx, "node-a", "node-b")
	if c != nil {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), closeWait)
			defer cancel()
			if err := c.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{c}
	if err := c.InstallDriver(ctx); err != nil {
		b.describe(t)
		t.Fatal(err)
	}
	t.Logf("cluster with the driver after %.0f s", time.Since(start).Seconds())
	return b
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
	for _, m := range manifests {
		if err := b.Apply(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

// sh runs a shell script in a pod.
func (b *bench) sh(t *testing.T, pod, script string) string {
	t.Helper()
	return b.must(t, "exec", pod, "--", "/bin/sh", "-c", script)
}

// ready waits for a pod.
func (b *bench) ready(t *testing.T, pod string) {
	t.Helper()
	b.must(t, "wait", "--for=condition=Ready", "pod/"+pod, podWait)
}

// remove deletes pods and then claims, and waits until their volumes are gone.
func (b *bench) remove(t *testing.T, pod, claim string) {
	t.Helper()
	volume := b.volumeOf(t, claim)
	b.must(t, "delete", "pod", pod, podWait)
	b.must(t, "delete", "pvc", claim, podWait)
	b.must(t, "wait", "--for=delete", "pv/"+volume, podWait)
}

// volumeOf is the name of a claim's PersistentVolume.
func (b *bench) volumeOf(t *testing.T, claim string) string {
	t.Helper()
	return b.must(t, "get", "pvc", claim, "--output=jsonpath={.spec.volumeName}")
}

// claim is a PersistentVolumeClaim of 1 GiB.
func claim(name, class string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: %s}
spec: {accessModes: [ReadWriteOnce], storageClassName: %s, resources: {requests: {storage: 1Gi}}}
`, name, class)
}

// pod has the claim at /data.
func pod(name, claim string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata: {name: %s}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: %s
    imagePullPolicy: Never
    command: [/bin/sh, -c, "trap exit TERM; while :; do sleep 3600 & wait; done"]
    volumeMounts: [{name: v, mountPath: /data}]
  volumes: [{name: v, persistentVolumeClaim: {claimName: %s}}]
`, name, ShellImage, claim)
}
