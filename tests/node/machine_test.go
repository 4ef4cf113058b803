//go:build guest

package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/san-csi/san-csi/tests/guest"
)

// cutShort ends a mount without the writes that an orderly one ends with.
const cutShort = `d=$(findmnt -n -o SOURCE %[1]s)
echo offline > /sys/block/${d##*/}/device/state
umount %[2]s %[1]s
`

// testDirty stages an ext4 whose journal is to be replayed.
func testDirty(t *testing.T, f *field, s source) {
	v := s.volume(t, "pvc-dirty", mounted("ext4"))
	must(t, v.stage, v.publish)
	sum := v.write(t)
	f.sh(t, fmt.Sprintf(cutShort, v.staging, v.target))
	must(t, v.unpublish, v.unstage)
	f.checkClean(t)
	if features := v.byHand(t, "dumpe2fs -h $d 2>/dev/null | grep '^Filesystem features:'"); !strings.Contains(features, "needs_recovery") {
		t.Errorf("the filesystem is not dirty: %s", features)
	}
	must(t, v.stage, v.publish)
	v.checkSum(t, sum)
}

const free = "rm -f /var/fill*"

// testFull: without room for its records the node begins nothing, and what it
// has it can still take apart.
func testFull(t *testing.T, f *field, s source) {
	v := s.volume(t, "pvc-full", mounted("ext4"))
	staged := s.volume(t, "pvc-full-staged", mounted("ext4"))
	must(t, staged.stage, staged.publish)
	sum := staged.write(t)
	t.Cleanup(func() { _, _ = f.node.VM.Run(context.Background(), free) })
	f.sh(t, fillVar)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := v.stage(ctx); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("stage without room: %v, want it to say so", err)
	}
	must(t, staged.unpublish, staged.unstage, v.unstage)
	f.checkClean(t)
	f.sh(t, free)
	must(t, staged.stage, staged.publish, v.stage, v.publish)
	staged.checkSum(t, sum)
}

// fillVar leaves no byte and no block to what is written to /var.
const fillVar = `dd if=/dev/zero of=/var/fill bs=64k 2>/dev/null
dd if=/dev/zero of=/var/fill oflag=append conv=notrunc bs=4k 2>/dev/null
if head -c 8192 /dev/zero > /var/fill.probe 2>/dev/null; then echo "there is still room in /var" >&2; exit 1; fi
rm -f /var/fill.probe`

// testClonedNode: a machine that was cloned with its initiator's name is refused, and
// the original works on.
func testClonedNode(t *testing.T, f *field, s source) {
	v := s.volume(t, "pvc-twins", mounted("ext4"))
	must(t, v.stage, v.publish)
	sum := v.write(t)
	twin := f.extraNode(t, guest.Config{Name: "twin", IQN: f.node.VM.IQN})
	second := f.unpublished(t, "pvc-twin")
	second.b = twin
	refused(t, second.publishTo, codes.FailedPrecondition, f.node.VM.IQN)
	v.checkSum(t, sum)
	must(t, v.unpublish, v.unstage)
	f.checkClean(t)
	must(t, v.stage, v.publish)
	v.checkSum(t, sum)
}

// unpublished is a volume that no node has.
func (f *field) unpublished(t *testing.T, name string) *volume {
	t.Helper()
	v := f.volume(t, name, mounted("ext4"), nil)
	must(t, v.unpublishFrom)
	return v
}

// testReset resets a node with volumes staged. No session comes back by itself;
// of two volumes one is unstaged after the reset and one is staged again.
func testReset(t *testing.T, f *field, _ source) {
	b := f.extraNode(t, guest.Config{Name: "reset", Reboots: true})
	used := b.volume(t, "pvc-reset-used", mounted("ext4"), nil)
	idle := b.volume(t, "pvc-reset-idle", mounted("xfs"), nil)
	must(t, used.stage, used.publish, idle.stage, idle.publish)
	sum := used.write(t)
	if err := b.node.VM.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.node.VM.StartISCSI(t.Context()); err != nil {
		t.Fatal(err)
	}
	must(t, b.node.RestartDriver)
	left, err := b.node.Leftovers(t.Context())
	if slices.ContainsFunc(left, func(s string) bool { return strings.HasPrefix(s, "session") || strings.HasPrefix(s, "device") }) || err != nil {
		t.Errorf("after the reset: %q, %v", left, err)
	}
	idle.again(t, "unpublish", idle.unpublish) // the connection to the driver is the former one's
	must(t, idle.unstage, used.stage, used.publish)
	used.checkSum(t, sum)
	must(t, used.unpublish, used.unstage)
	checkNodeClean(t, b)
}
