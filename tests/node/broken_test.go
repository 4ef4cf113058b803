//go:build guest

package node

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// onSession runs a script in the guest with the volume's session as $s, its
// directory in sysfs.
func (v *volume) onSession(t *testing.T, script string) {
	t.Helper()
	v.b.sh(t, fmt.Sprintf(`for s in /sys/class/iscsi_session/*; do [ "$(cat $s/targetname)" = %s ] && break; done
%s`, v.grant["iqn"], script))
}

const (
	deleteDevice = "for d in $s/device/target*/*/delete; do echo 1 > $d; done"
	logOutOfIt   = "iscsiadm -m session -r ${s##*/session} --logout >/dev/null"
	// iscsid is killed between its request to unbind the target and its logout;
	// its successor can log out of that session no more. Where the kill comes too
	// late the session is logged out.
	cutOffLogout = `(iscsiadm -m session -r ${s##*/session} --logout >/dev/null 2>&1 &)
while read state < $s/target_state && [ "$state" = SCANNED ]; do :; done
kill -9 $(pidof iscsid)
until pidof iscsid >/dev/null; do iscsid; done
while [ -e $s ] && [ "$(cat $s/target_state)" != UNBOUND ]; do usleep 20000; done`
	dropRecords = "rm /var/lib/san-csi/records/*.json"
	// iscsiadm would refuse it while the session is there.
	dropNodeRecords = "find /etc/iscsi/nodes /var/lib/iscsi/nodes -mindepth 1 -delete 2>/dev/null; true"
)

// testBroken breaks what a stage built in the ways that crashes and
// administrators do; unpublish and unstage still leave nothing behind.
func testBroken(t *testing.T, b *bench) {
	shell := func(script string) func(*testing.T, *volume) {
		return func(t *testing.T, v *volume) { v.onSession(t, script) }
	}
	for _, c := range short([]struct {
		name   string
		damage func(*testing.T, *volume)
		kinds  []string // of volumes
	}{
		{"driver killed", func(*testing.T, *volume) {}, []string{"ext4", "block"}},
		{"record removed", shell(dropRecords), []string{"ext4", "btrfs", "block"}},
		{"device deleted", shell(deleteDevice), []string{"ext4", "xfs", "block"}},
		{"session logged out", shell(logOutOfIt), []string{"ext4", "xfs", "btrfs", "block"}},
		{"node record removed", shell(dropNodeRecords), []string{"ext4"}},
		{"unmounted", unmountAll, []string{"ext4", "block"}},
		{"mounted twice", mountAgain, []string{"ext4"}},
	}, 2) {
		for _, kind := range c.kinds {
			t.Run(c.name+" with "+kind, func(t *testing.T) {
				capability := raw()
				if kind != "block" {
					capability = mounted(kind)
				}
				v := b.volume(t, "pvc-broken", capability, nil)
				must(t, v.stage, v.publish, b.node.KillDriver)
				c.damage(t, v)
				must(t, b.node.RestartDriver, patiently(v.unpublish), patiently(v.unstage)) // it repairs what it finds when it starts
				checkNodeClean(t, b)
				must(t, v.stage, v.publish) // and it still works
			})
		}
	}
}

func unmountAll(t *testing.T, v *volume) {
	v.b.sh(t, fmt.Sprintf("umount %s; umount %s 2>/dev/null || umount %s/device", v.target, v.staging, v.staging))
}

func mountAgain(t *testing.T, v *volume) {
	v.b.sh(t, fmt.Sprintf("mount --bind %s %s", v.target, v.target))
}

// testCutOff: unstage ends a session whose logout was cut off. iscsid keeps it
// in mind, and is restarted for the next login.
func testCutOff(t *testing.T, b *bench) {
	v := b.volume(t, "pvc-cut-off", mounted("ext4"), nil)
	must(t, v.stage)
	b.sh(t, "umount "+v.staging)
	v.onSession(t, cutOffLogout)
	must(t, v.unstage)
	checkNodeClean(t, b)
	b.sh(t, startedByIscsiadm)
	must(t, v.stage)
}

// testInUse: a pod that still has a file open keeps its mount.
func testInUse(t *testing.T, b *bench) {
	v := b.volume(t, "pvc-in-use", mounted("ext4"), nil)
	must(t, v.stage, v.publish)
	pid, err := b.node.VM.Start(t.Context(), fmt.Sprintf("exec 3> %s/open; exec sleep 3600", v.target), "/tmp/in-use.log")
	if err != nil {
		t.Fatal(err)
	}
	b.sh(t, fmt.Sprintf("until [ -e %s/open ]; do usleep 20000; done", v.target))
	refused(t, v.unpublish, codes.FailedPrecondition, v.target)
	b.sh(t, fmt.Sprintf("kill %d; while kill -0 %d 2>/dev/null; do usleep 20000; done", pid, pid))
	must(t, v.unpublish, v.unstage)
	checkNodeClean(t, b)
}

// testPatience: the kernel's disk waits as long as its session may be away, a
// sixth of that for each time that a command is sent.
func testPatience(t *testing.T, b *bench) {
	v := b.volume(t, "pvc-patience", raw(), nil)
	must(t, v.stage)
	v.onSession(t, `[ "$(cat $s/device/target*/*/timeout)" = 103 ] && [ "$(cat $s/recovery_tmo)" = 600 ]`)
	must(t, v.unstage)
}

// testDeadArray kills the array beneath a mount with data that is not written
// back yet. Unstage cannot end then, but it answers within its deadline; when
// the array is back, the caller's next try ends it and no data is lost.
func testDeadArray(t *testing.T, b *bench) {
	v := b.volume(t, "pvc-dead-array", mounted("ext4"), nil)
	must(t, v.stage, v.publish)
	sum := b.sh(t, "cd "+v.target+" && dd if=/dev/urandom of=data bs=1M count=8 2>/dev/null && sha256sum data")
	if err := b.lab.Array.Kill(); err != nil {
		t.Fatal(err)
	}
	must(t, v.unpublish)
	if err := v.try(t, 5*time.Second); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("unstage without the array: got %v, want %s", err, codes.DeadlineExceeded)
	}
	// Not Aborted for ever: the call that was given up has ended in the driver too.
	v.untilOther(t, codes.Aborted)
	if err := b.lab.Array.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.untilOther(t, codes.DeadlineExceeded, codes.Aborted, codes.Unavailable)
	checkNodeClean(t, b)
	must(t, v.stage, v.publish)
	v.checkSum(t, sum)
}

// try is one unstage with that deadline.
func (v *volume) try(t *testing.T, deadline time.Duration) error {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	return v.unstage(ctx)
}

// untilOther repeats the unstage, as a caller does, until its answer is none of
// the codes; success or, while there is no array, a deadline that ran out.
func (v *volume) untilOther(t *testing.T, wait ...codes.Code) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	for again := time.NewTicker(200 * time.Millisecond); ; {
		err := v.try(t, 5*time.Second)
		if code := status.Code(err); !slices.Contains(wait, code) {
			if code != codes.OK && code != codes.DeadlineExceeded {
				t.Fatalf("unstage: %v", err)
			}
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("unstage did not end: %v", err)
		case <-again.C:
		}
	}
}
