//go:build cluster

package cluster

import (
	"fmt"
	"strings"
	"testing"
)

// in gives a claim another access mode.
func in(mode, claim string) string { return strings.Replace(claim, "ReadWriteOnce", mode, 1) }

// testSharedBlock: a raw block volume is on two nodes at once, and each reads
// what the other has written.
func testSharedBlock(t *testing.T, b *bench) {
	pods := map[string]string{"shared-a": "node-a", "shared-b": "node-b"}
	b.apply(t, in("ReadWriteMany", claim("shared", Class, "volumeMode: Block")))
	for pod, node := range pods {
		b.apply(t, podRunning(pod, "shared", idle, "volumeDevices: [{name: v, devicePath: /dev/volume}]", on(node)))
	}
	b.ready(t, "shared-a", "shared-b")
	for _, turn := range []struct {
		writer, reader string
		place          int // MiB
	}{
		{"shared-a", "shared-b", 0},
		{"shared-b", "shared-a", 64},
		{"shared-b", "shared-a", 0}, // over what the other wrote
	} {
		b.sh(t, turn.writer, fmt.Sprintf("dd if=/dev/urandom of=/tmp/f bs=1M count=4 2>/dev/null; dd if=/tmp/f of=/dev/volume bs=1M seek=%d oflag=direct conv=notrunc,fsync 2>/dev/null", turn.place))
		wrote := b.sh(t, turn.writer, "md5sum < /tmp/f")
		read := fmt.Sprintf("dd if=/dev/volume bs=1M count=4 skip=%d iflag=direct 2>/dev/null | md5sum", turn.place)
		if got := b.sh(t, turn.reader, read); got != wrote || len(wrote) < 32 {
			t.Errorf("at %d MiB %s wrote %q, %s reads %q", turn.place, turn.writer, wrote, turn.reader, got)
		}
	}
	// The one that leaves takes nothing from the one that stays.
	b.must(t, "delete", "pod", "shared-a", stepFlag)
	b.sh(t, "shared-b", "dd if=/tmp/f of=/dev/volume bs=1M oflag=direct conv=notrunc,fsync 2>/dev/null")
	b.remove(t, "shared-b", "shared")
	b.checkGone(t)
}

// testOncePod: of two pods with a ReadWriteOncePod claim the second waits for
// the first to go, on whichever node, and has its data then.
func testOncePod(t *testing.T, b *bench) {
	b.apply(t, in("ReadWriteOncePod", claim("alone", Class)), pod("alone-1", "alone"))
	b.ready(t, "alone-1")
	sum := b.sh(t, "alone-1", write4M)
	b.apply(t, pod("alone-2", "alone"))
	b.unscheduled(t, "alone-2", "ReadWriteOncePod")
	b.must(t, "delete", "pod", "alone-1", stepFlag)
	b.ready(t, "alone-2")
	b.checkSum(t, "alone-2", sum)
	b.remove(t, "alone-2", "alone")
	b.checkGone(t)
}

// testReaders: a volume made of a snapshot is read on two nodes at once, and
// written on none, whether or not the pod says that it only reads.
func testReaders(t *testing.T, b *bench) {
	b.apply(t, claim("original", Class), pod("original", "original"))
	b.ready(t, "original")
	sum := b.sh(t, "original", write4M+"; sync")
	b.apply(t, fmt.Sprintf(snapshotOfClaim, "original", "original"))
	b.must(t, "wait", "--for=jsonpath={.status.readyToUse}=true", "volumesnapshot/original", stepFlag)
	b.apply(t, in("ReadOnlyMany", claim("library", Class, "dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: original}")),
		pod("reader-a", "library", on("node-a")),
		strings.Replace(pod("reader-b", "library", on("node-b")), "claimName: library", "claimName: library, readOnly: true", 1))
	b.ready(t, "reader-a", "reader-b")
	for _, reader := range []string{"reader-a", "reader-b"} {
		b.checkSum(t, reader, sum)
		if out := b.sh(t, reader, "touch /data/new 2>&1; echo wrote $?"); !strings.Contains(out, "Read-only file system") || !strings.Contains(out, "wrote 1") {
			t.Errorf("%s writes: %q", reader, out)
		}
		b.checkSum(t, reader, sum)
	}
	b.must(t, "delete", "pod", "reader-a", stepFlag)
	b.remove(t, "reader-b", "library")
	b.must(t, "delete", "volumesnapshot", "original", stepFlag)
	b.remove(t, "original", "original")
	b.checkGone(t)
}
