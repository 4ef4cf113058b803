//go:build cluster

package cluster

import (
	"fmt"
	"strings"
)

// claim is a PersistentVolumeClaim of 1 GiB; the further lines are of its spec.
func claim(name, class string, spec ...string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: %s, labels: {made-by: test}}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: %s
  resources: {requests: {storage: 1Gi}}
%s`, name, class, lines("  ", spec))
}

// idle is what a pod of tests runs until it is told to end.
const idle = "trap exit TERM; while :; do sleep 3600 & wait; done"

// pod has the claim at /data and idles; the further lines are of its spec.
func pod(name, claim string, spec ...string) string {
	return podRunning(name, claim, idle, "volumeMounts: [{name: v, mountPath: /data}]", spec...)
}

// blockPod has the claim's device at /dev/volume.
func blockPod(name, claim string, spec ...string) string {
	return podRunning(name, claim, idle, "volumeDevices: [{name: v, devicePath: /dev/volume}]", spec...)
}

func podRunning(name, claim, script, volume string, spec ...string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata: {name: %s}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: %s
    imagePullPolicy: Never
    command: [/bin/sh, -c, %q]
    %s
  volumes: [{name: v, persistentVolumeClaim: {claimName: %s}}]
%s`, name, ShellImage, script, volume, claim, lines("  ", spec))
}

// on is the line of a pod's spec that puts it on a node.
func on(node string) string { return fmt.Sprintf("nodeSelector: {kubernetes.io/hostname: %s}", node) }

func lines(indent string, of []string) string {
	var b strings.Builder
	for _, line := range of {
		fmt.Fprintf(&b, "%s%s\n", indent, line)
	}
	return b.String()
}
