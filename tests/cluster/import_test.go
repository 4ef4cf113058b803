//go:build cluster

package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/tests/lab"
)

// shop is the namespace of the manifest in docs/import.md.
const shop = "shop"

// testImport: a volume that was made and filled by hand is used through the
// objects of docs/import.md. Its data and its QoS stay, and when the objects are
// gone, so does the volume.
func testImport(t *testing.T, b *bench) {
	v := b.byHand(t)
	info, err := b.Lab.Element.GetClusterInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	manifest := b.documented(t, "import.md")
	for doc, here := range map[string]string{"3eeu:4711": fmt.Sprintf("%s:%d", info.UniqueID, v.VolumeID), "100Gi": fmt.Sprint(v.TotalSize)} {
		if !strings.Contains(manifest, doc) {
			t.Fatalf("the manifest of docs/import.md has no %q:\n%s", doc, manifest)
		}
		manifest = strings.ReplaceAll(manifest, doc, here)
	}
	b.must(t, "create", "namespace", shop)
	b.apply(t, manifest, strings.Replace(pod("oracle", "oracle-data"), "{name: oracle}", "{name: oracle, namespace: "+shop+"}", 1))
	b.must(t, "wait", "--namespace", shop, "--for=condition=Ready", "pod/oracle", stepFlag)
	b.must(t, "exec", "--namespace", shop, "oracle", "--", "/bin/sh", "-c", "cd /data && md5sum -c sum && grep ' /data xfs ' /proc/mounts && echo of a pod > new && sync")
	b.checkByHand(t, v)
	b.must(t, "delete", "namespace", shop, stepFlag)
	b.must(t, "delete", "pv", "oracle-data", stepFlag)
	b.checkByHand(t, v)
	b.mountedByHand(t, v, "cd /mnt/by-hand && md5sum -c sum && grep 'of a pod' new")
	_, err = b.Lab.Element.DeleteVolume(t.Context(), v.VolumeID)
	if err := errors.Join(err, b.Lab.Element.PurgeDeletedVolume(t.Context(), v.VolumeID)); err != nil {
		t.Error(err)
	}
	b.checkGone(t)
}

// byHand makes a volume by the array's API, with an XFS filesystem and a file.
func (b *bench) byHand(t *testing.T) element.Volume {
	t.Helper()
	account, err := b.Lab.Element.AddAccount(t.Context(), "by-hand")
	if err != nil {
		t.Fatal(err)
	}
	v, err := b.Lab.Element.CreateVolume(t.Context(), element.CreateVolumeRequest{
		Name: "oracle-data", AccountID: account, TotalSize: 1 << 30, Enable512e: true,
		QoS: &element.QoS{MinIOPS: 110, MaxIOPS: 2200, BurstIOPS: 3300},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.mountedByHand(t, v, "cd /mnt/by-hand && head -c 4194304 /dev/urandom > f && md5sum f > sum")
	return v
}

// byHandScript makes a filesystem on the disk $d where there is none, mounts it,
// does what is asked and unmounts it.
const byHandScript = `
blkid $d >/dev/null || mkfs.xfs -q $d
mkdir -p /mnt/by-hand
mount $d /mnt/by-hand
( %s )
umount /mnt/by-hand
`

// mountedByHand runs a script on the first worker with a volume at /mnt/by-hand, past the
// driver, and takes the volume out of every access group again.
func (b *bench) mountedByHand(t *testing.T, v element.Volume, script string) {
	t.Helper()
	vm := b.Workers[0].VM
	group, err := b.Lab.Element.CreateVolumeAccessGroup(t.Context(), element.CreateVolumeAccessGroupRequest{
		Name: "by-hand", Initiators: []string{vm.IQN}, Volumes: []int64{v.VolumeID},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = vm.Run(t.Context(), fmt.Sprintf("target=%s portal=%s\n"+lab.LogIn+byHandScript+lab.LogOut, v.IQN, b.Lab.Array.Portal(), script))
	if err := errors.Join(err, b.Lab.Element.DeleteVolumeAccessGroup(t.Context(), group.ID, true)); err != nil {
		t.Fatal(err)
	}
}

// checkByHand: name, size, account and QoS are those that it was made with.
func (b *bench) checkByHand(t *testing.T, made element.Volume) {
	t.Helper()
	found, err := b.Lab.Element.ListVolumes(t.Context(), element.ListVolumesRequest{VolumeIDs: []int64{made.VolumeID}})
	if err != nil || len(found) != 1 {
		t.Fatalf("volume %d: %+v, %v", made.VolumeID, found, err)
	}
	if now := found[0]; now.Name != made.Name || now.TotalSize != made.TotalSize || now.AccountID != made.AccountID ||
		now.QoS != made.QoS || now.Status != element.StatusActive || now.VolumeUUID != made.VolumeUUID {
		t.Errorf("the volume was %+v, is %+v", made, now)
	}
}

// documented is the manifest of a page of the docs: its only YAML.
func (b *bench) documented(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(b.files.Examples), "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), "```yaml\n")
	if len(parts) != 2 {
		t.Fatalf("docs/%s has %d pieces of YAML, want 1", page, len(parts)-1)
	}
	manifest, _, _ := strings.Cut(parts[1], "```")
	return manifest
}
