package element

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/san-csi/san-csi/pkg/san"
)

func TestLocksArePerKey(t *testing.T) {
	var l keyLocks[string]
	unlockA, err := l.lock(t.Context(), "a")
	must(t, err)
	unlockB, err := l.lock(t.Context(), "b")
	must(t, err)
	if _, free := l.try("a"); free {
		t.Error("a held lock is taken a second time")
	}
	unlockA()
	unlockB()
	unlock, free := l.try("a")
	if !free {
		t.Fatal("a free lock is not taken")
	}
	unlock()
	if len(l.held) != 0 {
		t.Errorf("%d locks are remembered that nobody holds", len(l.held))
	}
}

func TestWaitForLockEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l keyLocks[int64]
		unlock, err := l.lock(t.Context(), 7)
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { _, err := l.lock(ctx, 7); ended <- err }()
		synctest.Wait()
		cancel()
		expect(t, <-ended, san.ErrUnavailable, "7", context.Canceled.Error())
		unlock()
		if len(l.held) != 0 {
			t.Errorf("%d locks are remembered that nobody holds", len(l.held))
		}
	})
}

func TestLockPassesToWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l keyLocks[int64]
		unlock, err := l.lock(t.Context(), 7)
		must(t, err)
		got := make(chan func(), 1)
		go func() {
			if next, err := l.lock(t.Context(), 7); err == nil {
				got <- next
			}
		}()
		synctest.Wait()
		if len(got) != 0 {
			t.Error("the lock is passed on while it is held")
		}
		unlock()
		(<-got)()
	})
}
