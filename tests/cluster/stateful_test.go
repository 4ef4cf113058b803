//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// setWait bounds the start of all pods of a StatefulSet, on emulated machines.
const setWait = 8 * time.Minute

// statefulSet is one of idle pods, which start all at once, each with so many
// claims: at /data, /data1, /data2 and so on.
func statefulSet(name string, replicas, claims int) string {
	var mounts, templates strings.Builder
	for n := range claims {
		fmt.Fprintf(&mounts, "{name: v%d, mountPath: %s}, ", n, mountPath(n))
		fmt.Fprintf(&templates, `  - metadata: {name: v%d}
    spec: {accessModes: [ReadWriteOnce], storageClassName: %s, resources: {requests: {storage: 1Gi}}}
`, n, Class)
	}
	return fmt.Sprintf(`apiVersion: apps/v1
kind: StatefulSet
metadata: {name: %[1]s}
spec:
  serviceName: %[1]s
  replicas: %[2]d
  podManagementPolicy: Parallel
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: c
        image: %[3]s
        imagePullPolicy: Never
        command: [/bin/sh, -c, %[4]q]
        volumeMounts: [%[5]s]
  volumeClaimTemplates:
%[6]s`, name, replicas, ShellImage, idle, mounts.String(), templates.String())
}

func mountPath(n int) string {
	if n == 0 {
		return "/data"
	}
	return fmt.Sprintf("/data%d", n)
}

// setRuns waits until all pods of a StatefulSet are ready on that node.
func (b *bench) setRuns(t *testing.T, name string, replicas int, node string) {
	t.Helper()
	b.within(t, setWait, func(ctx context.Context) error {
		out, err := b.Kubectl(ctx, "get", "pods", "--selector=app="+name,
			`--output=jsonpath={range .items[*]}{.spec.nodeName}/{.status.conditions[?(@.type=="Ready")].status}{.metadata.deletionTimestamp} {end}`)
		if err == nil && !slices.Equal(strings.Fields(out), slices.Repeat([]string{node + "/True"}, replicas)) {
			err = fmt.Errorf("pods of %s are %q, want %d ready on %s", name, out, replicas, node)
		}
		return err
	})
}

// removeSet deletes a StatefulSet, and its claims with it, and waits until their volumes
// are gone.
func (b *bench) removeSet(t *testing.T, name string) {
	t.Helper()
	b.must(t, "delete", "statefulset", name, "--cascade=foreground", "--timeout=300s")
	b.within(t, setWait, b.withoutVolumes)
	b.checkGone(t)
}
