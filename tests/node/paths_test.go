//go:build guest

package node

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
)

// testLife attaches, uses and detaches each kind of volume.
func testLife(t *testing.T, f *field, s source) {
	for _, kind := range short([]string{"ext4", "block", "xfs"}, 2) {
		t.Run(kind, func(t *testing.T) {
			if kind == "block" {
				v := s.volume(t, "pvc-life-block", raw())
				f.use(t, v)
				sum := f.sh(t, fmt.Sprintf("head -c 4194304 /dev/urandom > /tmp/block; dd if=/tmp/block of=%s bs=1M seek=1020 oflag=direct 2>/dev/null; sha256sum < /tmp/block", v.target))
				must(t, v.unpublish, v.unstage, v.unstage)
				f.checkClean(t)
				must(t, v.stage, v.publish)
				v.checkEnd(t, sum)
				return
			}
			v := s.volume(t, "pvc-life-"+kind, mounted(kind))
			f.use(t, v)
			must(t, v.stage)
			sum := v.write(t)
			must(t, v.unpublish, v.unstage, v.unstage)
			f.checkClean(t)
			f.use(t, v)
			v.checkSum(t, sum)
		})
	}
}

// testAway cuts all portals off under writes until the kernel has noticed.
func testAway(t *testing.T, f *field, s source) {
	v := s.volume(t, "pvc-away", mounted("ext4"))
	f.use(t, v)
	w := v.writer(t)
	mend := cut(t, s.portals())
	v.awaitSession(t, "FAILED")
	mend()
	w.flows(t)
	f.survives(t, v, w)
}

// testAwayForGood: unstage ends with the portals cut off, once the kernel has
// given up the session's I/O, and leaves nothing behind.
func testAwayForGood(t *testing.T, f *field, s source) {
	v := s.volume(t, "pvc-for-good", mounted("ext4"))
	f.use(t, v)
	sum := v.write(t)
	// Before the cut: with it the journal may be at a commit that does not end.
	f.sh(t, "echo never-synced > "+v.target+"/dirty")
	mend := cut(t, s.portals())
	v.again(t, "unpublish", v.unpublish)
	v.again(t, "unstage", v.unstage)
	f.checkClean(t)
	mend()
	must(t, v.stage, v.publish)
	v.checkSum(t, sum)
}

// again repeats a call as a container orchestrator does, until it succeeds.
func (v *volume) again(t *testing.T, name string, call func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	start, delay := time.Now(), firstDelay
	for {
		attempt, stop := context.WithTimeout(ctx, patience)
		err := call(attempt)
		stop()
		if err == nil {
			t.Logf("%s of %s took %.0f s", name, v.name, time.Since(start).Seconds())
			return
		}
		t.Logf("%s: %v", name, err)
		select {
		case <-ctx.Done():
			t.Fatalf("%s of %s did not succeed: %v", name, v.name, err)
		case <-time.After(delay):
			delay *= 2
		}
	}
}

func testRestarted(t *testing.T, f *field, s source) {
	v := s.volume(t, "pvc-restarted", mounted("ext4"))
	f.use(t, v)
	w := v.writer(t)
	must(t, s.restart)
	w.flows(t)
	must(t, s.restart)
	w.flows(t)
	f.survives(t, v, w)
}

// testGrown grows a volume while it is written to.
func testGrown(t *testing.T, f *field, s source) {
	v := s.volume(t, "pvc-grown", mounted("ext4"))
	f.use(t, v)
	w := v.writer(t)
	bytes := func(ctx context.Context) error { return s.grow(ctx, v, 2*gib) }
	node := func(ctx context.Context) error { return v.growNode(ctx, 2*gib) }
	must(t, bytes, node, node)
	w.flows(t)
	f.sh(t, fmt.Sprintf(`[ "$(df -B1 --output=size %s | tail -n 1)" -gt %d ]`, v.target, 2*gib*9/10))
	v.grant["sizeBytes"] = fmt.Sprint(2 * gib)
	f.survives(t, v, w)
}

const (
	killInitiator  = "kill -9 $(pidof iscsid); while pidof iscsid >/dev/null; do usleep 20000; done"
	startInitiator = "until pidof iscsid >/dev/null; do iscsid; done"
)

// testInitiatorKilled: a new iscsid takes over the sessions that the old one
// had lost.
func testInitiatorKilled(t *testing.T, f *field, s source) {
	v := s.volume(t, "pvc-iscsid", mounted("ext4"))
	f.use(t, v)
	w := v.writer(t)
	mend := cut(t, s.portals())
	f.sh(t, killInitiator)
	v.awaitSession(t, "FAILED")
	mend()
	f.sh(t, startInitiator)
	w.flows(t)
	f.survives(t, v, w)
}

// testNoInitiator: iscsiadm starts the daemon that it does not find, as socket
// activation does.
func testNoInitiator(t *testing.T, f *field, s source) {
	v := s.volume(t, "pvc-no-iscsid", mounted("ext4"))
	must(t, v.stage, v.publish)
	sum := v.write(t)
	f.sh(t, killInitiator)
	must(t, v.unpublish)
	v.again(t, "unstage", v.unstage) // a daemon that has just started may not know its sessions yet
	f.checkClean(t)
	f.sh(t, killInitiator)
	v.again(t, "stage", v.stage)
	must(t, v.publish)
	v.checkSum(t, sum)
}

// testSwapped puts another LUN behind the target's name: not a byte of it is
// touched for a grant of the former one, and a grant of its own attaches it.
func testSwapped(t *testing.T, f *field, s source) {
	v := s.volume(t, "pvc-swapped", mounted("ext4"))
	must(t, v.stage, v.publish)
	v.write(t)
	must(t, v.unpublish, v.unstage)
	first := v.grant["naa"]
	swap := func() string {
		naa, err := f.targets.LIO.Swap(t.Context(), v.grant["iqn"])
		if err != nil {
			t.Fatal(err)
		}
		return naa
	}
	second := swap()
	refused(t, v.stage, codes.FailedPrecondition, first, second)
	f.checkClean(t)
	v.grant["naa"], v.grant["epoch"] = second, "2"
	must(t, v.stage, v.publish)
	v.write(t)

	// What a killed node still has of the former LUN is taken down.
	must(t, f.node.KillDriver)
	f.sh(t, "umount "+v.target+" "+v.staging)
	third := swap()
	must(t, f.node.RestartDriver, patiently(v.unpublish))
	refused(t, v.stage, codes.FailedPrecondition, second, third)
	f.checkClean(t)
	v.grant["naa"], v.grant["epoch"] = third, "3"
	must(t, v.stage, v.publish)
	v.write(t)
}
