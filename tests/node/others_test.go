//go:build guest

package node

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/tests/lab"
)

// testOthers: what an administrator logged in and mounted by hand, over the same
// initiator and the same access group, stays through everything that the driver
// does and fails to do beside it.
func testOthers(t *testing.T, b *bench) {
	v := b.volume(t, "pvc-beside", mounted("ext4"), nil)
	o := b.other(t, v)
	wrong := maps.Clone(v.grant)
	wrong["naa"] = strings.Repeat("6", 32)
	for _, c := range []struct {
		name string
		do   func(*testing.T)
	}{
		{"one life", func(t *testing.T) { must(t, v.stage, v.publish, v.unpublish, v.unstage) }},
		{"a refused stage", func(t *testing.T) {
			refused(t, func(ctx context.Context) error { return v.stageWith(ctx, wrong) }, codes.FailedPrecondition, "naa")
		}},
		{"killed, and the record removed", func(t *testing.T) {
			must(t, v.stage, v.publish, b.node.KillDriver)
			b.sh(t, dropRecords)
			must(t, b.node.RestartDriver, patiently(v.unpublish), patiently(v.unstage))
		}},
		{"an unstage of nothing", func(t *testing.T) { must(t, v.unpublish, v.unstage) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := o.state(t)
			c.do(t)
			if after := o.state(t); after != before {
				t.Errorf("the administrator's volume is now\n%s\nwas\n%s", after, before)
			}
		})
	}
}

// other is a volume that the driver knows nothing of.
type other struct {
	b   *bench
	iqn string
}

// other makes a volume by the array's API, lets the node's group have it, and
// mounts it by hand. It is undone at the end of the test.
func (b *bench) other(t *testing.T, beside *volume) *other {
	t.Helper()
	like, err := b.lab.Element.ListVolumes(t.Context(), element.ListVolumesRequest{VolumeIDs: []int64{beside.number(t)}})
	if err != nil || len(like) != 1 || len(like[0].VolumeAccessGroups) != 1 {
		t.Fatalf("volume %s on the array: %+v, %v", beside.id, like, err)
	}
	made, err := b.lab.Element.CreateVolume(t.Context(), element.CreateVolumeRequest{
		Name: "by-hand", AccountID: like[0].AccountID, TotalSize: gib, Enable512e: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	o, group := &other{b: b, iqn: made.IQN}, like[0].VolumeAccessGroups[0]
	t.Cleanup(func() { o.undo(t, group, made.VolumeID) })
	if _, err := b.lab.Element.AddVolumesToVolumeAccessGroup(t.Context(), group, made.VolumeID); err != nil {
		t.Fatal(err)
	}
	b.sh(t, fmt.Sprintf("target=%s portal=%s\n%s\nmkfs.ext4 -q $d && mkdir -p /mnt/by-hand && mount $d /mnt/by-hand && echo kept > /mnt/by-hand/file && sync",
		made.IQN, beside.grant["portals"], lab.LogIn))
	return o
}

// state is all that the node has of it: session, node record, device, mount and data.
func (o *other) state(t *testing.T) string {
	t.Helper()
	return o.b.sh(t, `iscsiadm -m session
for s in /sys/class/iscsi_session/*; do cat $s/targetname $s/state; ls $s/device/target*/*/block; done
find /etc/iscsi/nodes /var/lib/iscsi/nodes -type f 2>/dev/null | xargs -r sha256sum
grep by-hand /proc/self/mountinfo
echo 3 > /proc/sys/vm/drop_caches; cat /mnt/by-hand/file; touch /mnt/by-hand/file`)
}

func (o *other) undo(t *testing.T, group, id int64) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := o.b.node.VM.Run(ctx, fmt.Sprintf("umount /mnt/by-hand; iscsiadm -m node -T %s --logout && iscsiadm -m node -T %s -o delete", o.iqn, o.iqn))
	if err != nil {
		t.Error(err)
	}
	if _, err := o.b.lab.Element.RemoveVolumesFromVolumeAccessGroup(ctx, group, id); err != nil {
		t.Error(err)
	}
	if _, err := o.b.lab.Element.DeleteVolume(ctx, id); err != nil {
		t.Error(err)
	}
	if err := o.b.lab.Element.PurgeDeletedVolume(ctx, id); err != nil {
		t.Error(err)
	}
}
