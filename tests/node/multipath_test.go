//go:build guest

package node

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
)

// multipathConfig is /etc/multipath.conf: what multipathd takes by itself, and
// how long its maps wait for a path.
func multipathConfig(find, noPathRetry string) string {
	return fmt.Sprintf(`defaults {
	user_friendly_names yes
	find_multipaths %s
	polling_interval 1
	max_polling_interval 2
}
blacklist {
	devnode "^vd"
}
overrides {
	no_path_retry %s
}
`, find, noPathRetry)
}

// TestMultipath is the node with the real multipathd, and an array of two
// portals.
func TestMultipath(t *testing.T) {
	b := boot(t, "--iscsi-redirect=false")
	for _, part := range short([]struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"calls", testCalls},
		{"ways to iscsiadm", testWays},
		{"two portals", testTwoPortals},
		{"path loss", testPathLoss},
		{"two portals and a raw volume", testTwoPortalsRaw},
		{"one portal, claimed", testClaimed},
		{"one portal, not claimed", testNotClaimed},
		{"multipathd killed", testMultipathdKilled},
		{"no multipathd", testNoMultipathd},
		{"held", testHeld},
		{"all paths lost", testAllPathsLost},
		{"foreign map", testForeignMap},
	}, 3) {
		t.Run(part.name, func(t *testing.T) {
			if err := b.node.StartDriver(t.Context()); err != nil {
				t.Fatal(err)
			}
			part.test(t, b)
		})
		checkNothingLeft(t, part.name, b)
		if left := b.sh(t, "ls /sys/block | grep ^dm- ; grep ^/ /etc/multipath/wwids; true"); left != "" {
			t.Errorf("left after %s: %s", part.name, left)
		}
	}
}

// multipathd runs it with that configuration until the end of the test.
func (b *bench) multipathd(t *testing.T, find, noPathRetry string) {
	t.Helper()
	if err := b.node.VM.StartMultipathd(t.Context(), multipathConfig(find, noPathRetry)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.node.VM.KillMultipathd(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// twoPortals grants the volume over both portals.
func (b *bench) twoPortals(v *volume) {
	v.grant["portals"] = b.lab.Array.Portal() + "," + b.lab.Array.NodePortal()
}

// mapName is the dm device with the volume's uuid.
func (v *volume) mapName(t *testing.T) string {
	t.Helper()
	dev := strings.TrimSpace(v.b.sh(t, fmt.Sprintf("grep -lx mpath-3%s /sys/block/dm-*/dm/uuid | cut -d/ -f4", v.grant["naa"])))
	if !strings.HasPrefix(dev, "dm-") {
		t.Fatalf("no map of naa %s", v.grant["naa"])
	}
	return dev
}

// checkMapped wants the volume's mount to be of its map.
func (v *volume) checkMapped(t *testing.T, path string) {
	t.Helper()
	dev := v.mapName(t)
	if got := strings.TrimSpace(v.b.sh(t, "readlink -f $(findmnt -n -o SOURCE "+path+")")); got != "/dev/"+dev {
		t.Errorf("%s is of %s, want the map %s", path, got, dev)
	}
}

// awaitPaths waits for that many active paths of the volume's map.
func (v *volume) awaitPaths(t *testing.T, count int) {
	t.Helper()
	v.b.sh(t, fmt.Sprintf("until [ $(multipathd show paths raw format '%%w %%t' | grep -c '3%s active') = %d ]; do usleep 100000; done", v.grant["naa"], count))
}

// testCalls counts the runs of iscsiadm for a first attach.
func testCalls(t *testing.T, b *bench) {
	v := b.volume(t, "pvc-calls", mounted("ext4"), nil)
	b.sh(t, `real=$(readlink -f $(command -v iscsiadm)) && mv $real $real.real
printf '#!/bin/sh\necho "$@" >> /tmp/calls\nexec %s.real "$@"\n' $real > $real && chmod +x $real; rm -f /tmp/calls`)
	defer b.sh(t, "real=$(readlink -f $(command -v iscsiadm)) && mv $real.real $real")
	must(t, v.stage)
	calls := b.sh(t, "cat /tmp/calls")
	if n := strings.Count(calls, "\n"); n < 1 || n > 3 {
		t.Errorf("%d runs of iscsiadm, want at most 3:\n%s", n, calls)
	}
	if strings.Contains(calls, "discovery") {
		t.Errorf("a discovery:\n%s", calls)
	}
	t.Logf("iscsiadm ran as\n%s", calls)
}

// hideInitiator starts iscsid in a mount namespace of its own, the only one that
// has iscsiadm, as Talos does.
const hideInitiator = `set -e
kill -9 $(pidof iscsid)
mkdir -p /opt/iscsi /usr/local/sbin
mv $(readlink -f $(command -v iscsiadm)) /opt/iscsi/iscsiadm
unshare -m --propagation private sh -c 'mount --bind /opt/iscsi /usr/local/sbin && until pidof iscsid >/dev/null; do iscsid; done'`

const (
	showInitiator  = "kill -9 $(pidof iscsid); mv /opt/iscsi/iscsiadm $(readlink -f /sbin/iscsiadm); until pidof iscsid >/dev/null; do iscsid; done"
	killInitiators = "kill -9 $(pidof iscsid); while pidof iscsid >/dev/null; do usleep 20000; done"
)

// testWays reaches iscsiadm where it is, and says at the start what is missing.
func testWays(t *testing.T, b *bench) {
	life := func(t *testing.T, args ...string) {
		if err := b.node.StartDriver(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
		t.Run("life", func(t *testing.T) {
			v := b.volume(t, "pvc-ways", mounted("ext4"), nil)
			must(t, v.stage, v.unstage)
			checkNodeClean(t, b)
		})
	}
	t.Run("chroot", func(t *testing.T) { life(t, "--iscsiadm=chroot", "--host-root=/") })
	t.Run("nsenter", func(t *testing.T) { life(t, "--iscsiadm=nsenter") })
	t.Run("in iscsid's namespace only", func(t *testing.T) {
		b.sh(t, hideInitiator)
		defer b.sh(t, showInitiator)
		life(t)
		if err := b.node.StartDriver(t.Context(), "--iscsiadm=direct"); err == nil || !strings.Contains(err.Error(), "iscsiadm cannot be run") {
			t.Errorf("direct: %v, want the driver to say that iscsiadm cannot be run", err)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		b.sh(t, killInitiators)
		err := b.node.StartDriver(t.Context())
		if err == nil || !strings.Contains(err.Error(), "nobody listens on @ISCSIADM_ABSTRACT_NAMESPACE") {
			t.Errorf("%v, want the driver to say that iscsid is missing", err)
		}
		b.sh(t, "until pidof iscsid >/dev/null; do iscsid; done")
		life(t)
	})
}

// testTwoPortals walks a filesystem on a map through its life.
func testTwoPortals(t *testing.T, b *bench) {
	for _, find := range short([]string{"strict", "yes", "no"}, 1) {
		t.Run("find_multipaths "+find, func(t *testing.T) {
			b.multipathd(t, find, "fail")
			v := b.volume(t, "pvc-two-portals", mounted("ext4"), nil)
			b.twoPortals(v)
			must(t, v.stage, v.stage, v.publish)
			v.checkMapped(t, v.staging)
			v.awaitPaths(t, 2)
			sum := v.write(t)
			v.checkGrowth(t)
			v.checkSum(t, sum)
			must(t, v.unpublish, v.unstage)
			checkNodeClean(t, b)
			must(t, v.stage, v.publish)
			v.checkSum(t, sum)
		})
	}
}

// testTwoPortalsRaw is the same of a raw volume.
func testTwoPortalsRaw(t *testing.T, b *bench) {
	b.multipathd(t, "strict", "fail")
	v := b.volume(t, "pvc-two-raw", raw(), nil)
	b.twoPortals(v)
	must(t, v.stage, v.publish)
	dev := v.mapName(t)
	if got, want := b.sh(t, "stat -c %Hr:%Lr "+v.target), b.sh(t, "cat /sys/block/"+dev+"/dev"); got != want {
		t.Errorf("the pod has %s, want the map %s", got, want)
	}
	must(t, func(ctx context.Context) error { return v.grow(ctx, 2*gib) })
	if size := strings.TrimSpace(b.sh(t, "blockdev --getsize64 "+v.target)); size != fmt.Sprint(2*gib) {
		t.Errorf("the device has %s bytes, want %d", size, 2*gib)
	}
}

// lose makes the guest lose what it sends to the portal. Calls of the driver,
// which come from the first portal's address, get no answer then either.
func (b *bench) lose(t *testing.T, portal string) (find func()) {
	t.Helper()
	host, _, err := net.SplitHostPort(portal)
	if err != nil {
		t.Fatal(err)
	}
	b.sh(t, "ip route add blackhole "+host+"/32")
	return func() { b.sh(t, "ip route del blackhole "+host+"/32") }
}

// testPathLoss loses one path of two under writes, and gets it back.
func testPathLoss(t *testing.T, b *bench) {
	b.multipathd(t, "strict", "fail")
	v := b.volume(t, "pvc-path-loss", mounted("ext4"), nil)
	b.twoPortals(v)
	must(t, v.stage, v.publish)
	v.awaitPaths(t, 2)
	for _, portal := range strings.Split(v.grant["portals"], ",") {
		b.sh(t, "rm -f /tmp/failed /tmp/done "+v.target+"/log")
		_, err := b.node.VM.Start(t.Context(), fmt.Sprintf(`n=0; until [ -e /tmp/done ]; do
  n=$((n+1)); echo $n >> %[1]s/log && sync -d %[1]s/log || { touch /tmp/failed; break; }
done; echo $n > /tmp/written`, v.target), "/tmp/writer.log")
		if err != nil {
			t.Fatal(err)
		}
		find := b.lose(t, portal)
		v.awaitPaths(t, 1)
		count := "wc -l < " + v.target + "/log"
		b.sh(t, fmt.Sprintf("n=$(%s); until [ $(%s) -gt $((n+20)) ]; do [ ! -e /tmp/failed ] || exit 1; usleep 50000; done", count, count))
		find()
		v.awaitPaths(t, 2)
		b.sh(t, "touch /tmp/done; until [ -e /tmp/written ]; do usleep 50000; done")
		if out := b.sh(t, "echo 3 > /proc/sys/vm/drop_caches; [ ! -e /tmp/failed ] && [ $(cat /tmp/written) = $("+count+") ] && cat /tmp/written; rm -f /tmp/written"); out == "" {
			t.Error("writes were lost")
		} else {
			t.Logf("%s writes survived the loss of %s", strings.TrimSpace(out), portal)
		}
	}
}

// testClaimed: multipathd takes also a single path, and its map is what is used.
func testClaimed(t *testing.T, b *bench) {
	b.multipathd(t, "no", "fail")
	for _, kind := range []string{"ext4", "xfs", "btrfs"} {
		t.Run(kind, func(t *testing.T) {
			v := b.volume(t, "pvc-claimed-"+kind, mounted(kind), nil)
			must(t, v.stage, v.publish)
			v.checkMapped(t, v.staging)
			sum := v.write(t)
			must(t, v.unpublish, v.unstage)
			checkNodeClean(t, b)
			must(t, v.stage, v.publish)
			v.checkMapped(t, v.staging)
			v.checkSum(t, sum)
		})
	}
}

// testNotClaimed: what multipathd left alone and is mounted it cannot have later,
// whatever it is told.
func testNotClaimed(t *testing.T, b *bench) {
	b.multipathd(t, "strict", "fail")
	v := b.volume(t, "pvc-not-claimed", mounted("ext4"), nil)
	must(t, v.stage, v.publish)
	device := v.device(t)
	if !strings.HasPrefix(device, "/dev/sd") {
		t.Fatalf("mounted from %s, want the path", device)
	}
	sum := v.write(t)
	b.multipathd(t, "no", "fail")
	b.sh(t, "multipathd reconfigure; multipath -a "+device+"; multipathd add path "+strings.TrimPrefix(device, "/dev/")+"; multipath -r; true")
	if held := b.sh(t, "ls /sys/block/"+strings.TrimPrefix(device, "/dev/")+"/holders"); held != "" {
		t.Errorf("%s under the mount is held by %s", device, held)
	}
	must(t, v.stage)
	v.checkSum(t, sum)
	must(t, v.unpublish, v.unstage)
	checkNodeClean(t, b)
	b.sh(t, "multipath -w 3"+v.grant["naa"])
}

// testMultipathdKilled: an unstage ends a map that nobody attends.
func testMultipathdKilled(t *testing.T, b *bench) {
	b.multipathd(t, "strict", "queue")
	v := b.volume(t, "pvc-killed", mounted("ext4"), nil)
	b.twoPortals(v)
	must(t, v.stage, v.publish)
	sum := v.write(t)
	must(t, b.node.VM.KillMultipathd)
	must(t, v.stage, v.unpublish, v.unstage)
	checkNodeClean(t, b)
	b.multipathd(t, "strict", "queue")
	must(t, v.stage, v.publish)
	v.checkMapped(t, v.staging)
	v.checkSum(t, sum)
}

// testNoMultipathd uses one path of two, and stays with it when multipathd comes.
func testNoMultipathd(t *testing.T, b *bench) {
	v := b.volume(t, "pvc-no-multipathd", mounted("ext4"), nil)
	b.twoPortals(v)
	must(t, v.stage, v.publish)
	device := v.device(t)
	if sessions := strings.TrimSpace(b.sh(t, "ls /sys/class/iscsi_session | wc -l")); sessions != "1" {
		t.Errorf("%s sessions without multipathd, want 1", sessions)
	}
	if said := b.sh(t, "grep 'One path is used' /var/log/san-csi.log"); !strings.Contains(said, v.grant["iqn"]) {
		t.Errorf("the log says %q of the one path", said)
	}
	b.multipathd(t, "no", "fail")
	must(t, v.stage)
	if now := v.device(t); now != device {
		t.Errorf("mounted from %s, was %s", now, device)
	}
	must(t, v.unpublish, v.unstage)
	checkNodeClean(t, b)
}

// testHeld: a mapping of the node's own over the volume is seen before teardown.
func testHeld(t *testing.T, b *bench) {
	b.multipathd(t, "strict", "fail")
	v := b.volume(t, "pvc-held", raw(), nil)
	b.twoPortals(v)
	must(t, v.stage)
	dev := v.mapName(t)
	b.sh(t, fmt.Sprintf("dmsetup create somebody --table '0 2048 linear /dev/%s 0'", dev))
	refused(t, v.unstage, codes.FailedPrecondition, dev, "held by")
	v.awaitPaths(t, 2)
	b.sh(t, "udevadm settle; dmsetup remove --retry somebody")
	must(t, v.unstage)
	checkNodeClean(t, b)
}

// testAllPathsLost: a map that waits for paths for ever keeps no unstage.
func testAllPathsLost(t *testing.T, b *bench) {
	b.multipathd(t, "strict", "queue")
	v := b.volume(t, "pvc-all-lost", mounted("ext4"), nil)
	b.twoPortals(v)
	must(t, v.stage, v.publish)
	sum := v.write(t)
	b.sh(t, "echo lost > "+v.target+"/lost") // in memory only
	if err := b.lab.Array.Kill(); err != nil {
		t.Fatal(err)
	}
	v.awaitPaths(t, 0)
	must(t, v.unpublish, v.unstage)
	checkNodeClean(t, b)
	if err := b.lab.Array.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	must(t, v.stage, v.publish)
	v.checkSum(t, sum)
}

// testForeignMap: an administrator's map, its paths, sessions and mount stay.
func testForeignMap(t *testing.T, b *bench) {
	b.multipathd(t, "strict", "fail")
	v := b.volume(t, "pvc-beside-a-map", mounted("ext4"), nil)
	b.twoPortals(v)
	o := b.volume(t, "by-hand", mounted("ext4"), nil)
	iqn, name := o.grant["iqn"], "3"+o.grant["naa"]
	b.sh(t, fmt.Sprintf(`set -e
multipath -a %[2]s
for p in %[3]s %[4]s; do iscsiadm -m node -T %[1]s -p $p -o new; iscsiadm -m node -T %[1]s -p $p --login; done
until [ -n "$(multipathd show maps raw format '%%w' | grep %[2]s)" ] && [ $(multipathd show paths raw format '%%w %%t' | grep -c '%[2]s active') = 2 ]; do usleep 100000; done
d=/dev/$(grep -lx mpath-%[2]s /sys/block/dm-*/dm/uuid | cut -d/ -f4)
mkfs.ext4 -q $d; mkdir -p /mnt/by-hand; mount $d /mnt/by-hand; echo kept > /mnt/by-hand/file; sync`,
		iqn, name, b.lab.Array.Portal(), b.lab.Array.NodePortal()))
	state := fmt.Sprintf(`echo 3 > /proc/sys/vm/drop_caches; cat /mnt/by-hand/file; touch /mnt/by-hand/file; grep by-hand /proc/self/mountinfo
multipathd show paths raw format '%%d %%w %%t' | grep %s | sort; iscsiadm -m session | grep %s | sort; dmsetup info -c --noheadings -o uuid,minor
find /etc/iscsi/nodes -type f | xargs sha256sum; grep %s /etc/multipath/wwids`, name, iqn, name)
	before := b.sh(t, state)
	must(t, v.stage, v.publish, v.unpublish, v.unstage)
	must(t, v.stage, b.node.KillDriver)
	b.sh(t, dropRecords)
	must(t, b.node.RestartDriver, patiently(v.unstage))
	if after := b.sh(t, state); after != before {
		t.Errorf("the administrator's map is now\n%s\nwas\n%s", after, before)
	}
	b.sh(t, fmt.Sprintf("umount /mnt/by-hand && multipath -f %s; multipath -w %s; iscsiadm -m node -T %s --logout; iscsiadm -m node -T %s -o delete", name, name, iqn, iqn))
}
