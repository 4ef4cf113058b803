//go:build guest

package node

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
)

// testReconciler breaks what is staged and calls nobody: the driver finds it by
// itself, and what an administrator has beside it stays as it is throughout.
func testReconciler(t *testing.T, b *bench) {
	beside := b.volume(t, "pvc-beside-the-reconciler", mounted("ext4"), nil)
	o := b.other(t, beside)
	for _, part := range []struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"lost session", testLostSession},
		{"abandoned stage", testAbandonedStage},
		{"fenced", testFenced},
		{"rebooted", testRecordOfAFormerBoot},
	} {
		t.Run(part.name, func(t *testing.T) {
			before := o.state(t)
			part.test(t, b)
			if after := o.state(t); after != before {
				t.Errorf("the administrator's volume is now\n%s\nwas\n%s", after, before)
			}
		})
	}
}

// until waits for a shell condition on the node.
func (b *bench) until(t *testing.T, condition string) {
	t.Helper()
	b.sh(t, fmt.Sprintf("n=0; until %s; do n=$((n+1)); [ $n -lt 600 ] || { echo 'not in 30 s' >&2; exit 1; }; usleep 50000; done", condition))
}

func (v *volume) hasSession() string {
	return fmt.Sprintf("grep -qsx %s /sys/class/iscsi_session/*/targetname", v.grant["iqn"])
}

func (v *volume) disk() string {
	return fmt.Sprintf(`(for s in /sys/class/iscsi_session/*; do [ "$(cat $s/targetname)" = %s ] && ls $s/device/target*/*/block >/dev/null 2>&1 && exit 0; done; exit 1)`, v.grant["iqn"])
}

// gone is nothing of the volume's: no session, mount, node record, stage record.
func (v *volume) gone() string {
	return fmt.Sprintf("! { %s || grep -q %s /proc/mounts || find /etc/iscsi/nodes /var/lib/iscsi/nodes -name %s 2>/dev/null | grep -q . || grep -qs %s /var/lib/san-csi/records/*; }",
		v.hasSession(), v.name, v.grant["iqn"], v.id)
}

func (v *volume) reasons(t *testing.T) string {
	t.Helper()
	resp, err := v.node().NodeGetVolumeHealth(t.Context(), &csi.NodeGetVolumeHealthRequest{VolumeId: v.id})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, s := range resp.GetVolumeHealth().GetHealthStatuses() {
		all = append(all, s.GetReason())
	}
	return strings.Join(all, " ")
}

func testLostSession(t *testing.T, b *bench) {
	v := b.volume(t, "pvc-lost-session", mounted("ext4"), nil)
	must(t, v.stage, v.publish)
	if got := v.reasons(t); got != "" {
		t.Errorf("health of a sound volume: %s", got)
	}
	v.onSession(t, logOutOfIt)
	b.until(t, v.hasSession())
	// The filesystem in memory was the lost device's: nothing but a restart of the
	// pods brings it back, and the health says so.
	b.until(t, v.disk())
	if got := v.reasons(t); got != "DeviceReplaced" && got != "RemountedReadOnly" {
		t.Errorf("health of a filesystem whose device was replaced: %q", got)
	}
	must(t, v.unpublish, v.unstage)
	b.until(t, v.gone())
}

func testAbandonedStage(t *testing.T, b *bench) {
	v := b.volume(t, "pvc-abandoned", mounted("xfs"), nil)
	must(t, v.stage)
	b.sh(t, "umount "+v.staging)
	b.sh(t, "sleep 3; "+v.hasSession()) // the kubelet may still come back
	b.sh(t, `sed -i 's/"touched": "[^"]*"/"touched": "2020-01-01T00:00:00Z"/' $(grep -l `+v.id+` /var/lib/san-csi/records/*)`)
	b.until(t, v.gone())
}

// testFenced takes the grant away from beneath a mount with dirty pages and an
// open file. The node lets go of all of it, and only then gets a grant anew.
func testFenced(t *testing.T, b *bench) {
	v := b.volume(t, "pvc-fenced", mounted("ext4"), nil)
	must(t, v.stage, v.publish)
	sum := v.write(t)
	pid, err := b.node.VM.Start(t.Context(), fmt.Sprintf("exec 3> %s/open; exec sleep 3600", v.target), "/tmp/fenced.log")
	if err != nil {
		t.Fatal(err)
	}
	b.sh(t, fmt.Sprintf("until [ -e %s/open ]; do usleep 20000; done; dd if=/dev/zero of=%s/dirty bs=1M count=8 2>/dev/null", v.target, v.target))
	must(t, v.unpublishFrom)
	b.until(t, v.gone())
	b.sh(t, fmt.Sprintf("kill %d; while kill -0 %d 2>/dev/null; do usleep 20000; done", pid, pid))

	before := v.grant["epoch"]
	granted := func(ctx context.Context) error {
		for again := time.NewTicker(200 * time.Millisecond); ; {
			err := v.publishTo(ctx)
			if err == nil || ctx.Err() != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return err
			case <-again.C:
			}
		}
	}
	must(t, granted)
	if v.grant["epoch"] == before {
		t.Errorf("granted again under epoch %s", before)
	}
	must(t, v.stage, v.publish)
	v.checkSum(t, sum)
	must(t, v.unpublish, v.unstage)
}

// testRecordOfAFormerBoot: what a former boot staged is not logged in by itself.
func testRecordOfAFormerBoot(t *testing.T, b *bench) {
	v := b.volume(t, "pvc-rebooted", mounted("ext4"), nil)
	must(t, v.stage, v.publish)
	sum := v.write(t)
	must(t, b.node.KillDriver)
	v.onSession(t, fmt.Sprintf("umount %s %s; %s", v.target, v.staging, logOutOfIt))
	b.sh(t, `sed -i 's/"boot": "[^"]*"/"boot": "a former one"/' $(grep -l `+v.id+` /var/lib/san-csi/records/*)`)
	must(t, b.node.RestartDriver)
	b.sh(t, "sleep 3; ! "+v.hasSession())
	must(t, v.stage, v.publish)
	v.checkSum(t, sum)
	must(t, v.unpublish, v.unstage)
}
