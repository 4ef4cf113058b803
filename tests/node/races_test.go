//go:build guest

package node

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// atOnce makes the calls at the same time and gives their errors.
func atOnce(t *testing.T, calls ...func(context.Context) error) []error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	errs := make([]error, len(calls))
	var running sync.WaitGroup
	for i, call := range calls {
		running.Go(func() { errs[i] = call(ctx) })
	}
	running.Wait()
	return errs
}

// testUnstageTwice: of two unstages at once one does the work; the other is told
// to come again, or that it is done.
func testUnstageTwice(t *testing.T, f *field, s source) {
	v := s.volume(t, "pvc-twice", mounted("ext4"))
	must(t, v.stage, v.publish)
	sum := v.write(t)
	must(t, v.unpublish)
	done := 0
	for _, err := range atOnce(t, v.unstage, v.unstage) {
		switch status.Code(err) {
		case codes.OK:
			done++
		case codes.Aborted:
		default:
			t.Errorf("unstage: %v", err)
		}
	}
	if done == 0 {
		t.Error("no unstage succeeded")
	}
	f.checkClean(t)
	must(t, v.stage, v.publish)
	v.checkSum(t, sum)
}

// testStageAndUnstage: whoever comes first, the node converges on what is asked
// last.
func testStageAndUnstage(t *testing.T, f *field, s source) {
	v := s.volume(t, "pvc-racing", mounted("ext4"))
	must(t, v.stage, v.publish)
	sum := v.write(t)
	must(t, v.unpublish)
	for range 3 {
		for i, err := range atOnce(t, v.unstage, v.stage, v.unstage, v.stage) {
			if code := status.Code(err); code != codes.OK && code != codes.Aborted {
				t.Errorf("call %d: %v", i, err)
			}
		}
	}
	must(t, v.unstage)
	f.checkClean(t)
	must(t, v.stage, v.publish)
	v.checkSum(t, sum)
}

const (
	many = 50
	// storm is when callers that come again are more than those that come first.
	storm = 2 * many
	// firstDelay is a kubelet's before it comes again; it doubles.
	firstDelay = 500 * time.Millisecond
)

// testFifty stages volumes all at once, each with a caller that waits as long as
// a kubelet does and then comes again.
func testFifty(t *testing.T, f *field, s source) {
	var all []*volume
	for i := range many {
		all = append(all, s.volume(t, fmt.Sprintf("pvc-many-%d", i), mounted("ext4")))
	}
	f.everyOne(t, "stage", all, (*volume).stage)
	if n := f.sh(t, "grep -c 'san-csi.io/pvc-many-' /proc/self/mounts"); n != fmt.Sprintf("%d\n", many) {
		t.Errorf("%s volumes are mounted, want %d", n, many)
	}
	f.everyOne(t, "unstage", all, (*volume).unstage)
	f.checkClean(t)
}

// everyOne calls for all volumes at once, and again where the answer was no.
func (f *field) everyOne(t *testing.T, name string, all []*volume, call func(*volume, context.Context) error) {
	t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	var calls atomic.Int64
	var running sync.WaitGroup
	for _, v := range all {
		running.Go(func() {
			for delay := firstDelay; ; delay *= 2 {
				calls.Add(1)
				attempt, stop := context.WithTimeout(ctx, patience)
				err := call(v, attempt)
				stop()
				if err == nil {
					return
				}
				select {
				case <-ctx.Done():
					t.Errorf("%s of %s: %v", name, v.name, err)
					return
				case <-time.After(delay):
				}
			}
		})
	}
	running.Wait()
	t.Logf("%s of %d volumes: %d calls, %.0f s", name, len(all), calls.Load(), time.Since(start).Seconds())
	if calls.Load() > storm {
		t.Errorf("%s: %d calls for %d volumes are a storm", name, calls.Load(), len(all))
	}
}
