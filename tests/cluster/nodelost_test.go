//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// outOfService is the taint by which an administrator says that a node is gone
// for sure: its pods are given up, and their volumes taken from it.
const outOfService = "node.kubernetes.io/out-of-service"

// loss is how a worker is lost and how it comes back.
type loss struct {
	lose, comeBack func(ctx context.Context, w *Worker) error
	// confirms: the node still has what it was fenced from, and has to tell that it
	// let go of it. One that was rebooted has not.
	confirms bool
}

// testNodeCutOff: a node is cut off with writes in flight and comes back as it was.
func testNodeCutOff(t *testing.T, b *bench) {
	b.loseNode(t, "cut", loss{
		lose:     func(ctx context.Context, w *Worker) error { return w.VM.Disconnect(ctx) },
		comeBack: func(ctx context.Context, w *Worker) error { return w.VM.Connect(ctx) },
		confirms: true,
	})
}

// testNodePowerLost: a node loses its power with writes in flight, and comes back
// by booting.
func testNodePowerLost(t *testing.T, b *bench) {
	b.loseNode(t, "dark", loss{
		lose:     func(ctx context.Context, w *Worker) error { return w.VM.Reset(ctx) },
		comeBack: func(ctx context.Context, w *Worker) error { return w.Start(ctx) },
	})
}

// loseNode loses the node of a pod: the pod starts on the other one with its data,
// the lost node comes back, none of its writes lands, and it is used again.
func (b *bench) loseNode(t *testing.T, name string, l loss) {
	pod := name + "-0"
	b.apply(t, statefulSet(name, 1, 1))
	b.must(t, "rollout", "status", "statefulset/"+name, stepFlag)
	old := b.worker(b.nodeOf(t, pod))
	other := b.otherThan(old.Name)
	sum := b.sh(t, pod, write4M)
	b.fillForEver(t, pod, old)
	handle := b.handleOf(t, "v0-"+pod)

	back := false
	t.Cleanup(func() {
		if !back {
			_ = l.comeBack(context.Background(), old)
		}
	})
	if err := l.lose(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	b.giveUp(t, old)
	b.setRuns(t, name, 1, other.Name)
	b.checkSum(t, pod, sum)
	if n := b.sessionsOf(t, old); n > 0 {
		t.Errorf("%s is out of service, and the array has %d sessions of it", old.Name, n)
	}
	filled := b.sh(t, pod, fill("B")+"; sync; "+filledSum)
	t.Logf("still to be written on %s: %s", old.Name, b.onNode(t, old, `grep -E '^(Dirty|Writeback):' /proc/meminfo | tr -s ' \n' ' '`))

	back = true
	if err := l.comeBack(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	b.takeBack(t, old)
	if l.confirms {
		b.confirmed(t, old, handle)
	}
	b.checkNodeClean(t, old)
	b.checkFill(t, pod, other, filled)

	b.must(t, "cordon", other.Name)
	b.must(t, "delete", "pod", pod, stepFlag)
	b.setRuns(t, name, 1, old.Name)
	b.must(t, "uncordon", other.Name)
	b.checkSum(t, pod, sum)
	b.checkFill(t, pod, old, filled)
	b.checkNodeClean(t, other)
	b.removeSet(t, name)
	b.checkNodeClean(t, old)
}

// fill writes the letter over 4 MiB, by way of the page cache; filledSum is a
// checksum of what is there.
func fill(letter string) string { return fillFile(letter, "/data/fill") }

func fillFile(letter, file string) string {
	return fmt.Sprintf(`head -c 4194304 /dev/zero | tr '\0' %s | dd of=%s bs=64k conv=notrunc 2>/dev/null`, letter, file)
}

const filledSum = "head -c 4194304 /data/fill | md5sum"

// fillForEver has a pod write A again and again to a file that it keeps open, and
// returns when writes are on their way and pages are dirty that will be.
func (b *bench) fillForEver(t *testing.T, pod string, w *Worker) {
	t.Helper()
	b.sh(t, pod, fill("A")+"; sync")
	script := "exec 3<>/data/fill; while :; do " + fillFile("A", "/proc/$$/fd/3") + "; done"
	b.sh(t, pod, "cat > /tmp/filler <<'EOF'\n"+script+"\nEOF\nnohup sh /tmp/filler >/dev/null 2>&1 &")
	b.onNode(t, w, `until awk '/^Dirty:/ {exit !($2 > 1024)}' /proc/meminfo; do usleep 20000; done`)
}

// checkFill: the successor's data is what the array has.
func (b *bench) checkFill(t *testing.T, pod string, w *Worker, want string) {
	t.Helper()
	b.dropCaches(t, w)
	if got := b.sh(t, pod, filledSum); got != want {
		t.Errorf("%s reads %q on %s, written was %q", pod, got, w.Name, want)
	}
}

// giveUp does what an administrator does when a node does not answer any more.
func (b *bench) giveUp(t *testing.T, w *Worker) {
	t.Helper()
	b.must(t, "wait", "--for=condition=Ready=Unknown", "node/"+w.Name, stepFlag)
	b.must(t, "taint", "node", w.Name, outOfService+"=nodeshutdown:NoExecute")
	t.Cleanup(func() { // where the test ended before takeBack
		_, _ = b.Kubectl(context.Background(), "taint", "node", w.Name, outOfService+"-")
		_, _ = b.Kubectl(context.Background(), "uncordon", b.otherThan(w.Name).Name)
	})
}

// takeBack does what he does when it answers again.
func (b *bench) takeBack(t *testing.T, w *Worker) {
	t.Helper()
	b.must(t, "wait", "--for=condition=Ready", "node/"+w.Name, stepFlag)
	b.must(t, "taint", "node", w.Name, outOfService+"-")
}

// confirmed waits until a node has told that it let go of a volume.
func (b *bench) confirmed(t *testing.T, w *Worker, handle string) {
	t.Helper()
	b.until(t, func(ctx context.Context) error {
		out, err := b.Kubectl(ctx, "get", "lease", "--namespace", Namespace, "san-csi-node-"+w.Name, `--output=jsonpath={.metadata.annotations['san-csi\.io/confirmed']}`)
		if err == nil && !strings.Contains(out, handle) {
			err = fmt.Errorf("%s has confirmed %q, not %s", w.Name, out, handle)
		}
		return err
	})
}

// handleOf is the driver's name of a claim's volume.
func (b *bench) handleOf(t *testing.T, claim string) string {
	t.Helper()
	return b.must(t, "get", "pv", b.volumeOf(t, claim), "--output=jsonpath={.spec.csi.volumeHandle}")
}
