//go:build cluster

package cluster

import (
	"strconv"
	"testing"
)

// write4M is a script that writes 4 MiB of noise and prints its sum.
const write4M = "dd if=/dev/urandom of=/data/f bs=1M count=4 conv=fsync 2>/dev/null; md5sum /data/f"

// testDataLivesOn: what a pod wrote is there for the next one.
func testDataLivesOn(t *testing.T, b *bench) {
	b.apply(t, claim("life", Class), pod("life-1", "life"))
	b.ready(t, "life-1")
	sum := b.sh(t, "life-1", write4M)
	b.must(t, "delete", "pod", "life-1", stepFlag)
	b.apply(t, pod("life-2", "life"))
	b.ready(t, "life-2")
	b.checkSum(t, "life-2", sum)
	b.remove(t, "life-2", "life")
	b.checkGone(t)
}

// testPodMoves: the next pod is on the other node, and reads what the first wrote.
func testPodMoves(t *testing.T, b *bench) {
	b.apply(t, claim("move", Class), pod("move-1", "move", on("node-a")))
	b.ready(t, "move-1")
	sum := b.sh(t, "move-1", write4M)
	b.must(t, "delete", "pod", "move-1", stepFlag)
	b.apply(t, pod("move-2", "move", on("node-b")))
	b.ready(t, "move-2")
	if node := b.nodeOf(t, "move-2"); node != "node-b" {
		t.Errorf("the second pod runs on %s", node)
	}
	b.checkSum(t, "move-2", sum)
	b.remove(t, "move-2", "move")
	b.checkGone(t)
}

func (b *bench) checkSum(t *testing.T, pod, sum string) {
	t.Helper()
	if got := b.sh(t, pod, "md5sum /data/f"); got != sum || len(sum) < 32 {
		t.Errorf("%s reads %q, written was %q", pod, got, sum)
	}
}

// testExpansion: a claim grows under its pod, and so does the filesystem.
func testExpansion(t *testing.T, b *bench) {
	b.apply(t, claim("grow", Class), pod("grow", "grow"))
	b.ready(t, "grow")
	sum := b.sh(t, "grow", write4M)
	b.grow(t, "grow")
	if kib := b.number(t, "grow", "df -k /data | awk 'NR==2 {print $2}'"); kib < 1900<<10 {
		t.Errorf("the filesystem of a volume of 2 GiB has %d KiB", kib)
	}
	b.checkSum(t, "grow", sum)
	b.remove(t, "grow", "grow")
	b.checkGone(t)
}

// testRawBlock: a block volume is a device of its size in the pod, keeps what is
// written, and grows.
func testRawBlock(t *testing.T, b *bench) {
	const size = "busybox blockdev --getsize64 /dev/volume"
	b.apply(t, claim("block", Class, "volumeMode: Block"), blockPod("block-1", "block"))
	b.ready(t, "block-1")
	if got := b.number(t, "block-1", size); got != 1<<30 {
		t.Errorf("the device has %d bytes, want 1 GiB", got)
	}
	const head = "dd if=/dev/volume bs=1M count=4 iflag=direct 2>/dev/null | md5sum"
	sum := b.sh(t, "block-1", "dd if=/dev/urandom of=/dev/volume bs=1M count=4 oflag=direct conv=fsync 2>/dev/null; "+head)
	b.must(t, "delete", "pod", "block-1", stepFlag)
	b.apply(t, blockPod("block-2", "block"))
	b.ready(t, "block-2")
	if got := b.sh(t, "block-2", head); got != sum {
		t.Errorf("the next pod reads %q, the first wrote %q", got, sum)
	}
	b.grow(t, "block")
	if got := b.number(t, "block-2", size); got != 2<<30 {
		t.Errorf("the device has %d bytes, want 2 GiB", got)
	}
	b.remove(t, "block-2", "block")
	b.checkGone(t)
}

// grow asks for 2 GiB and waits until the claim has them.
func (b *bench) grow(t *testing.T, claim string) {
	t.Helper()
	b.must(t, "patch", "pvc", claim, "--patch", `{"spec": {"resources": {"requests": {"storage": "2Gi"}}}}`)
	b.must(t, "wait", "--for=jsonpath={.status.capacity.storage}=2Gi", "pvc/"+claim, stepFlag)
}

// number is what a script prints in a pod.
func (b *bench) number(t *testing.T, pod, script string) int64 {
	t.Helper()
	out := b.sh(t, pod, script)
	n, err := strconv.ParseInt(out, 10, 64)
	if err != nil {
		t.Fatalf("%s: %q prints %q", pod, script, out)
	}
	return n
}
