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

// testTwins: a btrfs is not mounted beside the one it was made of.
func testTwins(t *testing.T, b *bench) {
	v := b.volume(t, "pvc-source-btrfs", mounted("btrfs"), nil)
	must(t, v.stage, v.publish)
	sum := v.write(t)
	cloned := b.copyOf(t, v, "pvc-cloned-btrfs", gib, &csi.VolumeContentSource{
		Type: &csi.VolumeContentSource_Volume{Volume: &csi.VolumeContentSource_VolumeSource{VolumeId: v.id}}})
	refused(t, cloned.stage, codes.FailedPrecondition, "fsid")
	v.checkSum(t, sum)
	must(t, v.unpublish, v.unstage, cloned.stage, cloned.publish)
	cloned.checkSum(t, sum)
	refused(t, v.stage, codes.FailedPrecondition, "fsid")
}

// testReaders mounts a clone read-only, as many nodes at once may: nothing is
// written to it, not even a log's replay.
func testReaders(t *testing.T, b *bench) {
	for fsType, want := range map[string]string{"ext4": "norecovery", "xfs": "norecovery", "btrfs": "rescue=nologreplay"} {
		t.Run(fsType, func(t *testing.T) {
			v := b.volume(t, "pvc-written-"+fsType, mounted(fsType), nil)
			must(t, v.stage, v.publish)
			sum := v.write(t)
			must(t, v.unpublish, v.unstage)
			reader := mounted(fsType)
			reader.AccessMode.Mode = csi.VolumeCapability_AccessMode_MULTI_NODE_READER_ONLY
			cloned := b.volumeOf(t, "pvc-readers-"+fsType, gib, reader, nil, &csi.VolumeContentSource{
				Type: &csi.VolumeContentSource_Volume{Volume: &csi.VolumeContentSource_VolumeSource{VolumeId: v.id}}})
			must(t, cloned.stage, cloned.stage, cloned.publish, cloned.publish)
			cloned.checkSum(t, sum)
			if found := cloned.mount(t, "OPTIONS"); !strings.HasPrefix(found, "ro,") || !strings.Contains(found, want) {
				t.Errorf("mounted with %s, want ro and %s", found, want)
			}
			b.sh(t, "! touch "+cloned.target+"/new 2>/dev/null")
		})
	}
	t.Run("block", func(t *testing.T) {
		v := b.volume(t, "pvc-written-raw", raw(), nil)
		reader := raw()
		reader.AccessMode.Mode = csi.VolumeCapability_AccessMode_MULTI_NODE_READER_ONLY
		cloned := b.volumeOf(t, "pvc-readers-raw", gib, reader, nil, &csi.VolumeContentSource{
			Type: &csi.VolumeContentSource_Volume{Volume: &csi.VolumeContentSource_VolumeSource{VolumeId: v.id}}})
		must(t, cloned.stage, cloned.publish)
		b.sh(t, "dd if="+cloned.target+" of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null; ! dd if=/dev/zero of="+cloned.target+" bs=4k count=1 oflag=direct 2>/dev/null")
	})
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
