//go:build cluster

package cluster

import "testing"

// testDataLivesOn: what a pod wrote is there for the next one.
func testDataLivesOn(t *testing.T, b *bench) {
	b.apply(t, claim("life", Class), pod("life-1", "life"))
	b.ready(t, "life-1")
	sum := b.sh(t, "life-1", "dd if=/dev/urandom of=/data/f bs=1M count=4 conv=fsync 2>/dev/null; md5sum /data/f")
	b.must(t, "delete", "pod", "life-1", podWait)
	b.apply(t, pod("life-2", "life"))
	b.ready(t, "life-2")
	if got := b.sh(t, "life-2", "md5sum /data/f"); got != sum || len(sum) < 32 {
		t.Errorf("the next pod reads %q, the first wrote %q", got, sum)
	}
	b.remove(t, "life-2", "life")
	b.checkGone(t)
}

// checkGone: nothing of a deleted claim is left on the array.
func (b *bench) checkGone(t *testing.T) {
	t.Helper()
	left, err := b.Lab.Leftovers(t.Context())
	if err != nil || len(left) > 0 {
		t.Errorf("left on the array: %q, %v", left, err)
	}
}
