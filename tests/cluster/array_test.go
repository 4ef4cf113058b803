//go:build cluster

package cluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/san-csi/san-csi/tests/guest"
)

// outage is how long the array is out of reach.
var outage = flag.Duration("outage", 5*time.Minute, "how long the array is out of reach in TestCluster/array_unreachable")

// testArrayRestarted: the array is killed and started again under pods that write.
// Every write that was told done is there, and none has failed.
func testArrayRestarted(t *testing.T, b *bench) {
	writers := b.writers(t, "restarted")
	for range 3 {
		if err := b.Lab.Array.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		writers.flow(t)
	}
	b.apply(t, claim("after", NowClass))
	b.must(t, "wait", "--for=jsonpath={.status.phase}=Bound", "pvc/after", stepFlag)
	b.remove(t, "", "after")
	writers.end(t)
	b.checkGone(t)
}

// testArrayUnreachable: API and portals of the array answer nobody for minutes. Pods wait and go
// on, without a write that failed; a claim made meanwhile says what it waits
// for, and is bound afterwards; nothing of the driver is restarted.
func testArrayUnreachable(t *testing.T, b *bench) {
	writers := b.writers(t, "unreached")
	before := b.driverState(t)
	begin := time.Now()
	b.cutArray(t, func() {
		b.apply(t, claim("meanwhile", NowClass))
		b.refused(t, "meanwhile", "Unavailable", "array")
		t.Logf("refused after %.0f s", time.Since(begin).Seconds())
		select {
		case <-time.After(*outage - time.Since(begin)):
		case <-t.Context().Done():
		}
	})
	back := time.Now()
	b.must(t, "wait", "--for=jsonpath={.status.phase}=Bound", "pvc/meanwhile", stepFlag)
	t.Logf("bound %.0f s after the array was back", time.Since(back).Seconds())
	writers.flow(t)
	t.Logf("all pods write %.0f s after the array was back", time.Since(back).Seconds())
	if now := b.driverState(t); now != before {
		t.Errorf("pods of the driver were\n%s\nand are\n%s", before, now)
	}
	b.remove(t, "", "meanwhile")
	writers.end(t)
	b.checkGone(t)
}

// cutArray has all that is sent from the array lost while do runs; whoever talks
// to it is not told. The API server talks to the workers' kubelets from the same
// address: there is no exec meanwhile.
func (b *bench) cutArray(t *testing.T, do func()) {
	t.Helper()
	mended := false
	mend := func(ctx context.Context) error {
		if mended {
			return nil
		}
		mended = true
		return errors.Join(guest.Mend(ctx, guest.HostIP), guest.Mend(ctx, guest.NodeIP))
	}
	t.Cleanup(func() { _ = mend(context.Background()) })
	if err := errors.Join(guest.Cut(t.Context(), guest.HostIP), guest.Cut(t.Context(), guest.NodeIP)); err != nil {
		t.Fatal(err)
	}
	do()
	if err := mend(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// refused waits for an event of a claim that was not provisioned, with these words.
func (b *bench) refused(t *testing.T, claim string, words ...string) {
	t.Helper()
	b.until(t, func(ctx context.Context) error {
		events, err := b.Kubectl(ctx, "get", "events", "--field-selector=reason=ProvisioningFailed,involvedObject.name="+claim, "--output=jsonpath={.items[*].message}")
		for _, word := range words {
			if err == nil && !strings.Contains(events, word) {
				err = fmt.Errorf("claim %s: no event says %q: %q", claim, word, events)
			}
		}
		return err
	})
}

// writers are a pod on each worker that writes all the time.
type writers struct {
	b    *bench
	pods []string
}

// lineWriter writes numbered lines, each on the disk before the next one begins;
// it counts what was written and what failed.
const lineWriter = `trap exit TERM; n=0
while :; do
  if printf '%08d\n' $n | dd of=/data/lines bs=9 seek=$n conv=notrunc,fsync 2>/tmp/error; then n=$((n+1)); echo $n > /tmp/written.new; mv /tmp/written.new /tmp/written; else cat /tmp/error >> /tmp/failed; fi
  sleep 0.2
done`

func (b *bench) writers(t *testing.T, name string) writers {
	t.Helper()
	w := writers{b: b}
	for _, node := range b.Workers {
		pod := name + "-" + node.Name
		b.apply(t, claim(pod, Class), podRunning(pod, pod, lineWriter, mountData, on(node.Name)))
		w.pods = append(w.pods, pod)
	}
	b.ready(t, w.pods...)
	for _, pod := range w.pods {
		b.sh(t, pod, "until [ -s /tmp/written ]; do sleep 0.2; done")
	}
	return w
}

// flow waits until each has written more, and looks that no write failed.
func (w writers) flow(t *testing.T) {
	t.Helper()
	for _, pod := range w.pods {
		w.b.checkWriting(t, pod)
	}
}

// end looks that all lines are on the array that were told done, and removes pods
// and claims.
func (w writers) end(t *testing.T) {
	t.Helper()
	w.flow(t)
	for i, pod := range w.pods {
		n := w.b.number(t, pod, "cat /tmp/written")
		w.b.dropCaches(t, w.b.Workers[i])
		w.b.sh(t, pod, fmt.Sprintf(`awk 'BEGIN {while (n < %d) printf "%%08d\n", n++}' > /tmp/want; head -c %d /data/lines | cmp - /tmp/want`, n, 9*n))
		t.Logf("%s: %d writes, all there", pod, n)
		w.b.remove(t, pod, pod)
	}
}
