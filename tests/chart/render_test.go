//go:build chart

package chart

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/san-csi/san-csi/pkg/driver"
)

func TestDefaults(t *testing.T) {
	m := render(t, "secret")
	want := map[string]int{
		"ClusterRole": 5, "ClusterRoleBinding": 5, "CSIDriver": 1, "DaemonSet": 1, "Deployment": 1, "NetworkPolicy": 1,
		"PodDisruptionBudget": 1, "Role": 4, "RoleBinding": 4, "ServiceAccount": 2,
		"ValidatingAdmissionPolicy": 2, "ValidatingAdmissionPolicyBinding": 2,
	}
	if got := kinds(t, m); !maps.Equal(got, want) {
		t.Errorf("%v\nwant %v", got, want)
	}
	d := one[*storagev1.CSIDriver](t, m, driver.Name).Spec
	if !*d.AttachRequired || !*d.StorageCapacity || !*d.SELinuxMount || *d.FSGroupPolicy != storagev1.FileFSGroupPolicy {
		t.Errorf("CSIDriver %+v", d)
	}
	if c := one[*appsv1.Deployment](t, m, "san-csi-controller"); *c.Spec.Replicas != 2 {
		t.Errorf("%d replicas of the controller, want 2", *c.Spec.Replicas)
	}
}

// TestEverything: all that can be switched on renders as valid objects.
func TestEverything(t *testing.T) {
	m := render(t, "full")
	want := map[string]int{
		"ClusterRole": 6, "ClusterRoleBinding": 6, "ConfigMap": 1, "CSIDriver": 1, "DaemonSet": 1, "Deployment": 1, "NetworkPolicy": 1,
		"PersistentVolumeClaim": 1, "Pod": 1, "PodDisruptionBudget": 1, "PrometheusRule": 1, "Role": 4, "RoleBinding": 4, "Secret": 1, "Service": 1,
		"ServiceAccount": 2, "ServiceMonitor": 1, "StorageClass": 2, "ValidatingAdmissionPolicy": 2,
		"ValidatingAdmissionPolicyBinding": 2, "VolumeAttributesClass": 1, "VolumeSnapshotClass": 1,
	}
	if got := kinds(t, m); !maps.Equal(got, want) {
		t.Errorf("%v\nwant %v", got, want)
	}
	for _, image := range images(m) {
		if host := "registry.example.com/"; image[:min(len(image), len(host))] != host {
			t.Errorf("image %s is not of the one registry", image)
		}
	}
	gold := one[*storagev1.StorageClass](t, m, "san-gold")
	parameters := map[string]string{"array": "a", "minIOPS": "500", "maxIOPS": "1000000", "burstIOPSPerGiB": "1.5"}
	if !maps.Equal(gold.Parameters, parameters) {
		t.Errorf("parameters %v, want %v", gold.Parameters, parameters)
	}
	if keep := one[*storagev1.StorageClass](t, m, "san-keep"); *keep.AllowVolumeExpansion {
		t.Error("allowVolumeExpansion: false is lost")
	}
}

func TestSingleReplica(t *testing.T) {
	m := render(t, "secret", "controller.replicaCount=1")
	if n := len(all[*policyv1.PodDisruptionBudget](m)); n != 0 {
		t.Errorf("%d budgets: one replica could never be drained", n)
	}
}

func TestSnapshotsNeedTheirCRDs(t *testing.T) {
	classes := `volumeSnapshotClasses=[{"name":"s"}]`
	off := render(t, "secret", classes)
	if names := containers(one[*appsv1.Deployment](t, off, "san-csi-controller")); slices.Contains(names, "csi-snapshotter") || kinds(t, off)["VolumeSnapshotClass"] != 0 {
		t.Errorf("snapshots are off; containers %v, %v", names, kinds(t, off))
	}
	on := render(t, "secret", classes, "snapshots.enabled=true", "snapshots.forceEnable=true")
	if strings.Contains(fmt.Sprint(one[*appsv1.Deployment](t, on, "san-csi-controller").Spec), "CSIVolumeGroupSnapshot") {
		t.Error("groups are off, and asked for")
	}
	if names := containers(one[*appsv1.Deployment](t, on, "san-csi-controller")); !slices.Contains(names, "csi-snapshotter") || kinds(t, on)["VolumeSnapshotClass"] != 1 {
		t.Errorf("snapshots are on; containers %v, %v", names, kinds(t, on))
	}
}

// TestStartupTaintRights: without the removal nothing may patch a Node.
func TestStartupTaintRights(t *testing.T) {
	for _, removal := range []bool{true, false} {
		m := render(t, "secret", map[bool]string{true: "node.startupTaint.removal=true", false: "node.startupTaint.removal=false"}[removal])
		may := slices.ContainsFunc(all[*rbacv1.ClusterRole](m), func(r *rbacv1.ClusterRole) bool {
			return slices.ContainsFunc(r.Rules, func(r rbacv1.PolicyRule) bool {
				return slices.Contains(r.Resources, "nodes") && slices.Contains(r.Verbs, "patch")
			})
		})
		bound := slices.ContainsFunc(all[*admissionv1.ValidatingAdmissionPolicyBinding](m), func(b *admissionv1.ValidatingAdmissionPolicyBinding) bool {
			return b.Spec.PolicyName == "san-csi-node"
		})
		if may != removal || bound != removal {
			t.Errorf("removal %v: may patch %v, bound to its own Node %v", removal, may, bound)
		}
	}
}

// TestWildcards: no role of this chart names everything, or Secrets.
func TestWildcards(t *testing.T) {
	for _, role := range all[*rbacv1.ClusterRole](render(t, "full")) {
		for _, rule := range role.Rules {
			for _, names := range [][]string{rule.APIGroups, rule.Resources, rule.Verbs} {
				if slices.Contains(names, "*") || slices.Contains(names, "secrets") {
					t.Errorf("%s: %+v", role.Name, rule)
				}
			}
		}
	}
}

func TestKubeletPath(t *testing.T) {
	spec := one[*appsv1.DaemonSet](t, render(t, "secret", `node.kubeletPath="/var/snap/kubelet/"`), "san-csi-node").Spec.Template.Spec
	paths := map[string]string{}
	for _, v := range spec.Volumes {
		if v.HostPath != nil {
			paths[v.Name] = v.HostPath.Path
		}
	}
	want := map[string]string{
		"plugin": "/var/snap/kubelet/plugins/" + driver.Name, "registration": "/var/snap/kubelet/plugins_registry", "kubelet": "/var/snap/kubelet",
	}
	for name, path := range want {
		if paths[name] != path {
			t.Errorf("volume %s: %s, want %s", name, paths[name], path)
		}
	}
	i := slices.IndexFunc(spec.Containers[0].VolumeMounts, func(v corev1.VolumeMount) bool { return v.Name == "kubelet" })
	mount := spec.Containers[0].VolumeMounts[i]
	if mount.MountPath != "/var/snap/kubelet" || *mount.MountPropagation != corev1.MountPropagationBidirectional {
		t.Errorf("the kubelet's directory is mounted as %+v", mount)
	}
}
