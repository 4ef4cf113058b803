//go:build guest

package node

import (
	"context"
	"strings"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
)

// testClones mounts a volume, a larger one restored from its snapshot and a
// clone of it on one node at once: each has the content of its moment, and the
// larger one a filesystem that fills it.
func testClones(t *testing.T, b *bench) {
	for _, fsType := range short([]string{"xfs", "ext4"}, 1) {
		t.Run(fsType, func(t *testing.T) {
			v := b.volume(t, "pvc-source-"+fsType, mounted(fsType), nil)
			must(t, v.stage, v.publish)
			sum := v.write(t)
			snapshot := v.snapshot(t)
			refused(t, v.remove, codes.FailedPrecondition)
			b.sh(t, "cp "+v.target+"/data "+v.target+"/later && sync -f "+v.target)

			restored := b.copyOf(t, v, "pvc-restored-"+fsType, 3*gib, &csi.VolumeContentSource{
				Type: &csi.VolumeContentSource_Snapshot{Snapshot: &csi.VolumeContentSource_SnapshotSource{SnapshotId: snapshot}}})
			cloned := b.copyOf(t, v, "pvc-cloned-"+fsType, gib, &csi.VolumeContentSource{
				Type: &csi.VolumeContentSource_Volume{Volume: &csi.VolumeContentSource_VolumeSource{VolumeId: v.id}}})
			for made, c := range map[*volume]struct {
				least int64
				later string
			}{restored: {3 * gib * 9 / 10, "no"}, cloned: {gib * 9 / 10, "yes"}} {
				must(t, made.stage, made.stage, made.publish)
				made.checkSum(t, sum)
				if total := made.usage(t)[csi.VolumeUsage_BYTES].GetTotal(); total < c.least {
					t.Errorf("%s: the filesystem has %d bytes, want at least %d", made.name, total, c.least)
				}
				if got := strings.TrimSpace(b.sh(t, "test -e "+made.target+"/later && echo yes || echo no")); got != c.later {
					t.Errorf("%s has what came after the snapshot: %s, want %s", made.name, got, c.later)
				}
				b.sh(t, "echo own > "+made.target+"/own && sync -f "+made.target)
			}
			if out := b.sh(t, "ls "+v.target); strings.Contains(out, "own") {
				t.Errorf("the source has what its copies got: %s", out)
			}
			v.checkSum(t, sum)
		})
	}
}

// snapshot keeps the volume's content until the end of the test.
func (v *volume) snapshot(t *testing.T) string {
	t.Helper()
	made, err := v.controller().CreateSnapshot(t.Context(), &csi.CreateSnapshotRequest{Name: "snap-" + v.name, SourceVolumeId: v.id})
	if err != nil {
		t.Fatal(err)
	}
	id := made.GetSnapshot().GetSnapshotId()
	t.Cleanup(func() {
		if _, err := v.controller().DeleteSnapshot(context.Background(), &csi.DeleteSnapshotRequest{SnapshotId: id}); err != nil {
			t.Error(err)
		}
	})
	return id
}

// copyOf makes a volume like another one, with that content.
func (b *bench) copyOf(t *testing.T, v *volume, name string, bytes int64, source *csi.VolumeContentSource) *volume {
	t.Helper()
	made := b.volumeOf(t, name, bytes, v.capability, v.parameters, source)
	if made.grant["blank"] != "false" || made.grant["clone"] != "true" {
		t.Errorf("%s: publish context %v", name, made.grant)
	}
	return made
}
