//go:build cluster

package cluster

import (
	"testing"
)

// spareRights are those that the chart gives and that a run of all parts need not
// use.
var spareRights = []spareRight{
	{"san-csi-provisioner", "get", "persistentvolumeclaims", "to give a claim back to the scheduler: only where arrays declare who reaches them"},
	{"san-csi-snapshotter", "create", "events", "told where a snapshot fails"},
	{"san-csi-snapshotter", "patch", "events", "told again where it goes on failing"},
	{"san-csi-snapshotter", "patch", "volumesnapshotcontents/status", "where a snapshot fails"},
	{"san-csi-snapshotter", "patch", "volumegroupsnapshotcontents/status", "where a group's fails"},
	{"san-csi-node", "update", "leases", "to confirm that what the node was fenced from is over: only after a fence"},
}

// testRights: each right that the chart gives to one of its programs was used by
// that program in this run, and no program used one of another's. What the parts
// do together is what is judged, so nothing is where some of them were left out.
func testRights(t *testing.T, b *bench) {
	roles, err := parseRoles(b.must(t, "get", "clusterroles,roles", "--all-namespaces", "--selector=app.kubernetes.io/instance="+Release, "--output=json"))
	if err != nil || len(roles) == 0 {
		t.Fatalf("%d roles of the chart: %v", len(roles), err)
	}
	asked, err := b.requests()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d different requests, %d roles", len(asked), len(roles))
	for _, fault := range judge(roles, asked, spareRights) {
		if b.whole {
			t.Error(fault)
		} else {
			t.Logf("not judged, since parts were left out: %s", fault)
		}
	}
}
