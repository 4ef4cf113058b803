//go:build chart

package chart

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

func node(t *testing.T, m manifest) corev1.PodSpec {
	t.Helper()
	return one[*appsv1.DaemonSet](t, m, "san-csi-node").Spec.Template.Spec
}

// TestNodeTakesOnlyWhatItNeedsOfTheHost: its network for iscsid's socket and the
// kernel's events, and the directories it works in.
func TestNodeTakesOnlyWhatItNeedsOfTheHost(t *testing.T) {
	spec := node(t, render(t, "secret"))
	if !spec.HostNetwork || spec.HostPID || spec.HostIPC || spec.DNSPolicy != corev1.DNSClusterFirstWithHostNet {
		t.Errorf("network %v, PID %v, IPC %v, DNS %s", spec.HostNetwork, spec.HostPID, spec.HostIPC, spec.DNSPolicy)
	}
	driver := spec.Containers[0]
	if s := driver.SecurityContext; *s.RunAsUser != 0 {
		t.Errorf("the driver mounts as user %d", *s.RunAsUser)
	}
	for _, c := range spec.Containers[1:] {
		for _, mount := range c.VolumeMounts {
			if mount.Name != "plugin" && mount.Name != "registration" {
				t.Errorf("%s has %s of the host", c.Name, mount.Name)
			}
		}
	}
	mounts := map[string]corev1.VolumeMount{}
	for _, mount := range driver.VolumeMounts {
		mounts[mount.MountPath] = mount
	}
	want := []string{"/csi", "/dev", "/host", "/run/mount", "/run/udev", "/sys", "/tmp", "/var/lib/kubelet", "/var/lib/san-csi"}
	if got := slices.Sorted(maps.Keys(mounts)); !slices.Equal(got, want) {
		t.Errorf("mounts at %v, want %v", got, want)
	}
	if p := mounts["/host"].MountPropagation; p == nil || *p != corev1.MountPropagationHostToContainer {
		t.Errorf("the host's root has propagation %v: mounts that the host makes later would not be seen", p)
	}
}

// TestStartupTaint: the driver is told which taint to take away, and its pods run
// on the nodes that have it.
func TestStartupTaint(t *testing.T) {
	const key = "example.com/not-yet"
	set := []string{`node.startupTaint.key="` + key + `"`, "node.tolerateAllTaints=false", `node.tolerations=[{"key":"gpu","operator":"Exists"}]`}
	spec := node(t, render(t, "secret", set...))
	if !slices.Contains(spec.Containers[0].Args, "--startup-taint="+key) {
		t.Errorf("arguments %v", spec.Containers[0].Args)
	}
	var tolerated []string
	for _, toleration := range spec.Tolerations {
		tolerated = append(tolerated, toleration.Key)
	}
	if !slices.Equal(tolerated, []string{key, "gpu"}) {
		t.Errorf("tolerates %v", tolerated)
	}
	if all := node(t, render(t, "secret")).Tolerations; len(all) != 1 || all[0].Key != "" || all[0].Operator != corev1.TolerationOpExists {
		t.Errorf("by default tolerates %v, want every taint", all)
	}
}

// TestAttachLimit: controller and nodes are told the same.
func TestAttachLimit(t *testing.T) {
	m := render(t, "secret", "node.volumeAttachLimit=42")
	for _, spec := range []corev1.PodSpec{node(t, m), controller(t, m).Spec.Template.Spec} {
		if args := spec.Containers[0].Args; !slices.Contains(args, "--max-volumes=42") {
			t.Errorf("arguments %v", args)
		}
	}
}

// TestUpgradeIsGradual: not all nodes lose their plugin at once.
func TestUpgradeIsGradual(t *testing.T) {
	update := one[*appsv1.DaemonSet](t, render(t, "secret"), "san-csi-node").Spec.UpdateStrategy
	if update.Type != appsv1.RollingUpdateDaemonSetStrategyType || update.RollingUpdate.MaxUnavailable.String() != "10%" {
		t.Errorf("%+v", update)
	}
}

// TestInitiator: whose name the nodes log in under, whether they may restart
// iscsid, and how long I/O waits for a session.
func TestInitiator(t *testing.T) {
	for _, c := range []struct{ set, want []string }{
		{nil, []string{"--initiator=host", "--restart-iscsid=true", "--replacement-timeout=10m"}},
		{
			[]string{`node.initiator="own"`, "node.restartIscsid=false", `node.replacementTimeout="90s"`},
			[]string{"--initiator=own", "--restart-iscsid=false", "--replacement-timeout=90s"},
		},
	} {
		args := node(t, render(t, "secret", c.set...)).Containers[0].Args
		for _, want := range c.want {
			if !slices.Contains(args, want) {
				t.Errorf("with %v: arguments %v, want %s", c.set, args, want)
			}
		}
	}
}

// TestTuning: how hard the driver works, and who is told of it.
func TestTuning(t *testing.T) {
	for _, c := range []struct{ set, controller, node []string }{
		{nil, []string{"--array-calls-per-second=0"}, []string{"--max-concurrent-stages=16", "--reconcile-interval=30s"}},
		{[]string{"controller.arrayCallsPerSecond=12.5", "node.maxConcurrentStages=4", `node.reconcileInterval="1m"`, `tracingEndpoint="http://otel.mon:4318"`},
			[]string{"--array-calls-per-second=12.5", "--tracing-endpoint=http://otel.mon:4318"},
			[]string{"--max-concurrent-stages=4", "--reconcile-interval=1m", "--tracing-endpoint=http://otel.mon:4318"}},
	} {
		m := render(t, "secret", c.set...)
		for _, of := range []struct{ args, want []string }{
			{controller(t, m).Spec.Template.Spec.Containers[0].Args, c.controller},
			{node(t, m).Containers[0].Args, c.node},
		} {
			for _, want := range of.want {
				if !slices.Contains(of.args, want) {
					t.Errorf("with %v: arguments %v, want %s", c.set, of.args, want)
				}
			}
			if c.set == nil && strings.Contains(strings.Join(of.args, " "), "tracing") {
				t.Errorf("nobody is to be told, and arguments %v", of.args)
			}
		}
	}
}

// TestIscsiadm: the host's PID namespace is only taken where it is needed.
func TestIscsiadm(t *testing.T) {
	for way, pids := range map[string]bool{"auto": false, "chroot": false, "nsenter": true} {
		pod := node(t, render(t, "secret", fmt.Sprintf("node.iscsiadm=%q", way)))
		if pod.HostPID != pids || !slices.Contains(pod.Containers[0].Args, "--iscsiadm="+way) {
			t.Errorf("%s: the host's PIDs %t, arguments %v", way, pod.HostPID, pod.Containers[0].Args)
		}
	}
}
