//go:build chart

package chart

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/san-csi/san-csi/pkg/kube"
)

// TestRoles: each program has a role of its own with what it asks the API for, and
// nothing else. A right that is not in this table has to be argued for here.
func TestRoles(t *testing.T) {
	const (
		follow = "list watch"
		events = "create patch"
	)
	want := map[string]map[string]string{
		"san-csi-controller": {
			"persistentvolumeclaims": "get", "events": events,
			"persistentvolumes": "list", "volumesnapshotcontents": "list", "volumegroupsnapshotcontents": "list", // gc
		},
		"san-csi-provisioner": {
			"persistentvolumes": "create delete get list patch watch", "persistentvolumeclaims": "get list update watch",
			"storageclasses": follow, "csinodes": follow, "nodes": follow, "volumeattachments": follow, "volumeattributesclasses": "get",
			"volumesnapshots": "get list update watch", "volumesnapshotcontents": "get", "events": events,
		},
		"san-csi-attacher": {
			"persistentvolumes": "list patch watch", "csinodes": follow,
			"volumeattachments": "list patch watch", "volumeattachments/status": "patch",
		},
		"san-csi-resizer": {
			"persistentvolumes": "list patch watch", "persistentvolumeclaims": follow, "persistentvolumeclaims/status": "patch",
			"volumeattributesclasses": follow, "events": events,
		},
		"san-csi-snapshotter": {
			"volumesnapshotclasses": follow, "volumesnapshotcontents": "get list patch watch",
			"volumesnapshotcontents/status": "patch update", "events": events,
			"volumegroupsnapshotclasses": follow, "volumegroupsnapshotcontents": "get list patch watch",
			"volumegroupsnapshotcontents/status": "patch update",
		},
		"san-csi-node": {"nodes": "get patch", "csinodes": follow},
	}
	m := render(t, "full")
	got := map[string]map[string]string{}
	for _, role := range all[*rbacv1.ClusterRole](m) {
		got[role.Name] = rights(role.Rules)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !maps.Equal(got[name], want[name]) {
			t.Errorf("%s: %v\nwant %v", name, got[name], want[name])
		}
		delete(got, name)
	}
	if len(got) != 0 {
		t.Errorf("further roles: %v", got)
	}
	if r := one[*rbacv1.ClusterRole](t, render(t, "full", "snapshots.groups=false"), "san-csi-snapshotter"); strings.Contains(fmt.Sprint(r.Rules), "group") ||
		rights(r.Rules)["volumesnapshotcontents"] != "get list patch watch" {
		t.Errorf("groups are off: %+v", r.Rules)
	}
	if r := one[*rbacv1.ClusterRole](t, render(t, "secret"), "san-csi-provisioner"); strings.Contains(fmt.Sprint(r.Rules), "snapshot") {
		t.Errorf("snapshots are off: %+v", r.Rules)
	}
}

// rights are the sorted verbs by resource.
func rights(rules []rbacv1.PolicyRule) map[string]string {
	found := map[string]string{}
	for _, rule := range rules {
		for _, resource := range rule.Resources {
			verbs := append(strings.Fields(found[resource]), rule.Verbs...)
			found[resource] = strings.Join(slices.Sorted(slices.Values(verbs)), " ")
		}
	}
	return found
}

// leaseVerbs are for a Lease of one's own, and to follow others; none to delete.
var leaseVerbs = []string{"create", "get", "list", "watch", "update"}

// TestNodeLease: the node plugin may write Leases of its namespace alone, and of
// these by the policy only that of the node that its token names.
func TestNodeLease(t *testing.T) {
	m := render(t, "secret", "node.startupTaint.removal=false")
	rules := one[*rbacv1.Role](t, m, "san-csi-node").Rules
	if len(rules) != 1 || !slices.Equal(rules[0].Resources, []string{"leases"}) || !slices.Equal(rules[0].Verbs, leaseVerbs) {
		t.Errorf("rules %+v", rules)
	}
	if b := one[*rbacv1.RoleBinding](t, m, "san-csi-node"); b.RoleRef.Name != "san-csi-node" || b.Subjects[0].Name != "san-csi-node" {
		t.Errorf("%+v to %+v", b.RoleRef, b.Subjects)
	}
	policy := one[*admissionv1.ValidatingAdmissionPolicy](t, m, "san-csi-node-lease").Spec
	if rule := policy.Validations[0].Expression; !strings.Contains(rule, "authentication.kubernetes.io/node-name") || !strings.Contains(rule, `"`+kube.NodeLeaseName("")+`"`) {
		t.Errorf("rule %s", rule)
	}
	if b := one[*admissionv1.ValidatingAdmissionPolicyBinding](t, m, "san-csi-node-lease").Spec; b.PolicyName != "san-csi-node-lease" {
		t.Errorf("binding %+v", b)
	}
	driver := node(t, m).Containers[0]
	if !slices.Contains(driver.Args, "--lease-namespace=$(NAMESPACE)") || driver.Env[1].Name != "NAMESPACE" {
		t.Errorf("arguments %v, environment %v", driver.Args, driver.Env)
	}
}

// TestNodeEvents: of the namespace that events about Nodes are in, the node plugin
// may write events, and nothing else.
func TestNodeEvents(t *testing.T) {
	m := render(t, "secret")
	role, binding := one[*rbacv1.Role](t, m, "san-csi-node-events"), one[*rbacv1.RoleBinding](t, m, "san-csi-node-events")
	if got := rights(role.Rules); role.Namespace != "default" || len(got) != 1 || got["events"] != "create patch" {
		t.Errorf("%s: %v", role.Namespace, got)
	}
	if binding.Namespace != "default" || binding.RoleRef.Name != role.Name || binding.Subjects[0].Name != "san-csi-node" {
		t.Errorf("%s: %+v to %+v", binding.Namespace, binding.RoleRef, binding.Subjects)
	}
}

// TestControllerRole: in its own namespace the Leases; in the cluster claims and
// their events, and the identity where no name is given.
func TestControllerRole(t *testing.T) {
	m := render(t, "secret", `clusterName="ours"`)
	if rules := one[*rbacv1.Role](t, m, "san-csi-controller").Rules; len(rules) != 1 || !slices.Equal(rules[0].Resources, []string{"leases"}) || !slices.Equal(rules[0].Verbs, leaseVerbs) {
		t.Errorf("rules %+v", rules)
	}
	want := map[string]string{
		"persistentvolumeclaims": "get", "events": "create patch",
		"persistentvolumes": "list", "volumesnapshotcontents": "list", "volumegroupsnapshotcontents": "list",
	}
	if got := rights(one[*rbacv1.ClusterRole](t, m, "san-csi-controller").Rules); !maps.Equal(got, want) {
		t.Errorf("with a name of its own: %v, want %v", got, want)
	}
	rules := one[*rbacv1.ClusterRole](t, render(t, "secret"), "san-csi-controller").Rules
	if identity := rules[len(rules)-1]; !slices.Equal(identity.ResourceNames, []string{"kube-system"}) || !slices.Equal(identity.Verbs, []string{"get"}) {
		t.Errorf("identity %+v", identity)
	}
}

// TestCapacityRole: what the provisioner's capacity objects take is its own, in
// the release's namespace, and goes with them.
func TestCapacityRole(t *testing.T) {
	want := map[string]string{"csistoragecapacities": "create delete list update watch", "pods": "get", "replicasets": "get"}
	if got := rights(one[*rbacv1.Role](t, render(t, "secret"), "san-csi-provisioner").Rules); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for _, role := range all[*rbacv1.Role](render(t, "secret", "csiDriver.storageCapacity=false")) {
		if role.Name == "san-csi-provisioner" {
			t.Errorf("without capacity: %+v", role.Rules)
		}
	}
}

// TestBindings: a role of ours is bound to the account of the pod it is for.
func TestBindings(t *testing.T) {
	m := render(t, "full", `controller.serviceAccount={"create":false,"name":"ours"}`)
	for _, b := range all[*rbacv1.ClusterRoleBinding](m) {
		want := "ours"
		if b.Name == "san-csi-node" {
			want = "san-csi-node"
		}
		if len(b.Subjects) != 1 || b.Subjects[0].Name != want || b.Subjects[0].Namespace != "san-csi" || b.RoleRef.Name != b.Name {
			t.Errorf("%s: %+v to %+v", b.Name, b.RoleRef, b.Subjects)
		}
	}
	if account := controller(t, m).Spec.Template.Spec.ServiceAccountName; account != "ours" {
		t.Errorf("the controller runs as %s", account)
	}
}
