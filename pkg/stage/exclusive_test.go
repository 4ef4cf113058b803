package stage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/san-csi/san-csi/pkg/filesystem"
	"github.com/san-csi/san-csi/pkg/initiator"
)

// slow is a node whose logins and logouts take their time, and that counts how
// many are under way.
type slow struct {
	Iscsi
	Mounts
	login        time.Duration
	mu           sync.Mutex
	live         map[string]bool
	running, top atomic.Int64
}

func (s *slow) work(iqn string, live bool) {
	s.top.Store(max(s.top.Load(), s.running.Add(1)))
	defer s.running.Add(-1)
	time.Sleep(s.login) // the bubble's clock
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[iqn] = live
}

func (s *slow) Attach(_ context.Context, t initiator.Target) (initiator.Device, error) {
	s.work(t.IQN, true)
	return initiator.Device{Name: "sdb", Path: "/dev/sdb", Number: "8:16", SizeBytes: t.SizeBytes}, nil
}

func (s *slow) Unqueue(context.Context, string) error { return nil }

func (s *slow) Detach(_ context.Context, iqn, _ string) error { s.work(iqn, false); return nil }

func (s *slow) Mapping(_ context.Context, iqn string) (initiator.Mapping, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.live[iqn] {
		return initiator.Mapping{}, nil
	}
	return initiator.Mapping{Sessions: 1}, nil
}

func (s *slow) List(context.Context) ([]filesystem.Mount, error)       { return nil, nil }
func (s *slow) BindDevice(context.Context, string, string, bool) error { return nil }
func (s *slow) Unmount(context.Context, string, bool) error            { return nil }
func (s *slow) Remove(context.Context, string) error                   { return nil }
func (s *slow) Daemon(context.Context) error                           { return nil }

func slowNode(t *testing.T, most int) (*slow, *Stager) {
	n := &slow{login: 5 * time.Second, live: map[string]bool{}}
	s, err := New(Options{Iscsi: n, Daemons: n, Mounts: n, Disks: fakeDisks{}, RecordsDir: t.TempDir(), MaxConcurrent: most})
	if err != nil {
		t.Fatal(err)
	}
	return n, s
}

func numbered(n int) StageRequest {
	r := request()
	r.Block = true
	r.VolumeID = fmt.Sprintf("t:%d:0123abcd", n)
	r.StagingPath = fmt.Sprintf("/kubelet/staging/%d", n)
	r.Target.IQN = fmt.Sprintf("iqn.2010-01.com.solidfire:t.vol.%d", n)
	return r
}

// all runs 50 calls at once with the kubelet's deadline of two minutes.
func all(t *testing.T, call func(ctx context.Context, r StageRequest) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var calls sync.WaitGroup
	for n := range 50 {
		calls.Go(func() {
			if err := call(ctx, numbered(n)); err != nil {
				t.Errorf("volume %d: %v", n, err)
			}
		})
	}
	calls.Wait()
}

// TestFiftyAtOnce: each call ends well the first time, so that nobody has to
// call again; no more run at once than may.
func TestFiftyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, s := slowNode(t, 8)
		all(t, s.Stage)
		if top := n.top.Load(); top != 8 {
			t.Errorf("%d logins at once, want 8", top)
		}
		n.top.Store(0)
		all(t, func(ctx context.Context, r StageRequest) error { return s.Unstage(ctx, r.VolumeID, r.StagingPath) })
		if top := n.top.Load(); top != 8 {
			t.Errorf("%d logouts at once, want 8", top)
		}
	})
}

// TestHungCallsKeepNobodyWaiting: as many volumes as there are slots hang, and one
// of another array is staged all the same.
func TestHungCallsKeepNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, s := slowNode(t, 2)
		n.login = time.Hour
		var hung sync.WaitGroup
		for v := range 2 {
			hung.Go(func() {
				if err := s.Stage(t.Context(), numbered(v)); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		n.login = time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if err := s.Stage(ctx, numbered(3)); err != nil {
			t.Errorf("beside those that hang: %v", err)
		}
		hung.Wait()
	})
}

// TestWaitingForOthers: who waits for a slot holds the volume, no longer than the
// deadline, and has done nothing yet; an unstage does not wait for stages.
func TestWaitingForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, s := slowNode(t, 1)
		var calls sync.WaitGroup
		calls.Go(func() {
			if err := s.Stage(t.Context(), numbered(1)); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		calls.Go(func() {
			if err := s.Stage(short, numbered(2)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a deadline while waiting: got %v", err)
			}
		})
		synctest.Wait()
		for _, busy := range []int{1, 2} {
			if err := s.Stage(t.Context(), numbered(busy)); !errors.Is(err, ErrInFlight) {
				t.Errorf("volume %d again: got %v, want ErrInFlight", busy, err)
			}
		}
		if err := s.Unstage(t.Context(), "other", "/kubelet/staging/other"); err != nil || n.running.Load() != 1 {
			t.Errorf("unstage beside a stage: %v, %d running", err, n.running.Load())
		}
		calls.Wait()
		if r, err := s.records.load(numbered(2).VolumeID); r != nil || err != nil || n.live[numbered(2).Target.IQN] {
			t.Errorf("the one that waited in vain left %+v, %v", r, err)
		}
		if err := s.Stage(t.Context(), numbered(2)); err != nil {
			t.Errorf("again: %v", err)
		}
	})
}
