//go:build cluster

package cluster

import (
	"fmt"
	"strings"
	"testing"
)

const snapshotOfClaim = `apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {name: %s}
spec:
  volumeSnapshotClassName: ` + SnapshotClass + `
  source: {persistentVolumeClaimName: %s}
`

const groupOfClaims = `apiVersion: groupsnapshot.storage.k8s.io/v1
kind: VolumeGroupSnapshotClass
metadata: {name: test-groups}
driver: san-csi.io
deletionPolicy: Delete
---
apiVersion: groupsnapshot.storage.k8s.io/v1
kind: VolumeGroupSnapshot
metadata: {name: %s}
spec:
  volumeGroupSnapshotClassName: test-groups
  source: {selector: {matchLabels: {group: %[1]s}}}
`

// testSnapshot: what was written since a snapshot is not in a larger volume made
// of it, and neither needs the other any more.
func testSnapshot(t *testing.T, b *bench) {
	b.apply(t, claim("snap", Class), pod("snap", "snap"))
	b.ready(t, "snap")
	sum := b.sh(t, "snap", write4M)
	b.apply(t, fmt.Sprintf(snapshotOfClaim, "snap", "snap"))
	b.must(t, "wait", "--for=jsonpath={.status.readyToUse}=true", "volumesnapshot/snap", stepFlag)
	if later := b.sh(t, "snap", write4M); later == sum {
		t.Fatal("the same was written twice")
	}
	restored := strings.Replace(claim("restored", Class, "dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: snap}"), "1Gi", "2Gi", 1)
	b.apply(t, restored, pod("restored", "restored"))
	b.ready(t, "restored")
	b.checkSum(t, "restored", sum)
	if kib := b.number(t, "restored", "df -k /data | awk 'NR==2 {print $2}'"); kib < 1900<<10 {
		t.Errorf("the filesystem of a volume of 2 GiB has %d KiB", kib)
	}
	b.must(t, "delete", "volumesnapshot", "snap", stepFlag)
	b.remove(t, "snap", "snap")
	b.checkSum(t, "restored", sum)
	b.remove(t, "restored", "restored")
	b.checkGone(t)
}

// testGroupSnapshot: one moment of two claims.
func testGroupSnapshot(t *testing.T, b *bench) {
	for _, name := range []string{"group-1", "group-2"} {
		b.apply(t, strings.Replace(claim(name, NowClass), "made-by: test", "group: pair", 1))
		b.must(t, "wait", "--for=jsonpath={.status.phase}=Bound", "pvc/"+name, stepFlag)
	}
	b.apply(t, fmt.Sprintf(groupOfClaims, "pair"))
	b.must(t, "wait", "--for=jsonpath={.status.readyToUse}=true", "volumegroupsnapshot/pair", stepFlag)
	// The snapshot controller puts it there later: what is deleted before leaves its content, and the snapshots on the array, for ever.
	b.must(t, "wait", "--for=jsonpath={.metadata.finalizers}", "volumegroupsnapshot/pair", stepFlag)
	members := strings.Fields(b.must(t, "get", "volumesnapshot", "--output=name"))
	if len(members) != 2 {
		t.Errorf("the group has members %v, want 2", members)
	}
	b.must(t, "delete", "volumegroupsnapshot", "pair", stepFlag)
	b.must(t, "delete", "volumegroupsnapshotclass", "test-groups", stepFlag)
	for _, name := range []string{"group-1", "group-2"} {
		b.remove(t, "", name)
	}
	b.checkGone(t)
}
