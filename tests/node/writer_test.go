//go:build guest

package node

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// writerScript writes numbered lines to $file, each synced before the next one
// begins, and counts those that were: $run.done. One that fails ends it.
const writerScript = `i=0
while [ ! -e $run.stop ]; do
  if ! printf '%08d\n' $i | dd of=$file bs=9 seek=$i conv=notrunc,fsync 2>$run.error; then
    echo "write $i: $(cat $run.error)" > $run.failed
    exit 1
  fi
  i=$((i+1))
  echo $i > $run.new
  mv $run.new $run.done
done`

// writer is a pod that writes all the time.
type writer struct {
	v   *volume
	run string // where it tells how it fares
	pid int
}

func (v *volume) writer(t *testing.T) *writer {
	t.Helper()
	w := &writer{v: v, run: "/tmp/writer-" + v.name}
	v.b.sh(t, "rm -f "+w.run+".*")
	script := fmt.Sprintf("run=%s file=%s/lines\n%s", w.run, v.target, writerScript)
	var err error
	if w.pid, err = v.b.node.VM.Start(t.Context(), script, w.run+".log"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = v.b.node.VM.Run(context.Background(), "touch "+w.run+".stop")
	})
	w.flows(t)
	return w
}

// flows waits until some more writes are done.
func (w *writer) flows(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	_, err := w.v.b.node.VM.Run(ctx, fmt.Sprintf(`n=$(cat %[1]s.done 2>/dev/null || echo 0)
until [ "$(cat %[1]s.done 2>/dev/null || echo 0)" -gt $((n+3)) ]; do
  if [ -e %[1]s.failed ]; then cat %[1]s.failed >&2; exit 1; fi
  usleep 50000
done`, w.run))
	if err != nil {
		t.Fatalf("writes do not flow: %v", err)
	}
}

// stop ends the writer and tells how many writes it was told are done; that
// none failed.
func (w *writer) stop(t *testing.T) int {
	t.Helper()
	out := w.v.b.sh(t, fmt.Sprintf(`touch %[1]s.stop
while kill -0 %[2]d 2>/dev/null; do usleep 20000; done
if [ -e %[1]s.failed ]; then cat %[1]s.failed >&2; exit 1; fi
cat %[1]s.done`, w.run, w.pid))
	n, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// checkLines wants the n lines that a writer was told are done, past the page
// cache, and none after.
func (v *volume) checkLines(t *testing.T, n int) {
	t.Helper()
	if _, err := v.b.node.VM.Run(t.Context(), fmt.Sprintf(
		"echo 3 > /proc/sys/vm/drop_caches; seq -f %%08.0f 0 %d | cmp - %s/lines", n-1, v.target)); err != nil {
		t.Errorf("of %d writes that were done: %v", n, err)
	}
}

// survives stops the writer, takes the volume off the node and brings it back:
// every write is there, and nothing was left in between.
func (f *field) survives(t *testing.T, v *volume, w *writer) {
	t.Helper()
	n := w.stop(t)
	must(t, v.unpublish, v.unstage)
	f.checkClean(t)
	f.use(t, v)
	v.checkLines(t, n)
	t.Logf("%d writes, all there", n)
}

// awaitSession waits until all sessions of the volume's target are in the state.
func (v *volume) awaitSession(t *testing.T, state string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	_, err := v.b.node.VM.Run(ctx, fmt.Sprintf(`while :; do
  n=0 is=0
  for s in /sys/class/iscsi_session/*; do
    [ "$(cat $s/targetname)" = %s ] || continue
    n=$((n+1))
    [ "$(cat $s/state)" != %s ] || is=$((is+1))
  done
  if [ $n -gt 0 ] && [ $n = $is ]; then exit; fi
  usleep 50000
done`, v.grant["iqn"], state))
	if err != nil {
		t.Fatalf("sessions of %s are not %s: %v", v.name, state, err)
	}
}
