package stage

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/san-csi/san-csi/pkg/filesystem"
	"github.com/san-csi/san-csi/pkg/initiator"
)

// age makes the record as old as an abandoned stage's.
func (w *world) age() {
	w.t.Helper()
	files := &records{dir: w.records}
	r, err := files.load(volume)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Touched = time.Now().Add(-time.Hour)
	text, err := json.Marshal(r)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(files.path(volume), text, recordMode); err != nil {
		w.t.Fatal(err)
	}
}

// second is another portal of the same target.
const second = "10.0.0.2:3260"

// TestReconcile: what a round makes of what it finds.
func TestReconcile(t *testing.T) {
	away := errors.New("no route to host")
	busy := []filesystem.Mount{{Path: "/elsewhere", Device: "8:16", Type: "ext4", Root: "/"}}
	for name, tc := range map[string]struct {
		prepare func(*world)
		act     Act // "" = nothing is done and nothing told
		err     error
		want    func(*world)
		stands  Standing
	}{
		"a staged volume":       {func(*world) {}, "", nil, (*world).wantStaged, Standing{Staged: 1}},
		"its session is lost":   {func(w *world) { w.sessions, w.attached = 0, false }, ActLogin, nil, (*world).wantStaged, Standing{Staged: 1, Missing: 1}},
		"and the target's gone": {func(w *world) { w.sessions, w.failure["login"] = 0, initiator.ErrUnavailable }, ActLogin, ErrUnavailable, nil, Standing{Staged: 1, Missing: 1}},
		"a map lacks a path":    {func(w *world) { w.name = "dm-0" }, ActLogin, nil, (*world).wantStaged, Standing{Staged: 1, Paths: 1}},
		"a portal is down":      {func(w *world) { w.name, w.unreached = "dm-0", map[string]error{second: away} }, ActPortal, away, nil, Standing{Staged: 1, Paths: 1}},
		"a session in recovery": {func(w *world) { w.lost = 1 }, "", nil, (*world).wantStaged, Standing{Staged: 1, Recovering: 1}},
		"a stage under way":     {func(w *world) { w.mounts = nil }, "", nil, nil, Standing{}},
		"an abandoned stage":    {func(w *world) { w.mounts = nil; w.age() }, ActClean, nil, (*world).wantNothing, Standing{}},
		"abandoned, and in use": {func(w *world) { w.mounts = busy; w.age() }, ActClean, ErrBusy, nil, Standing{}},
		"after a reboot":        {func(w *world) { w.reboot(); w.age() }, "", nil, nil, Standing{}},
	} {
		t.Run(name, func(t *testing.T) {
			w, req := newWorld(t), request()
			req.Target.Portals = append(req.Target.Portals, second)
			w.must(func(s *Stager) error { return s.Stage(t.Context(), req) })
			tc.prepare(w)
			s := w.process()
			s.Reconcile(t.Context())
			switch {
			case tc.act == "" && len(w.findings) > 0:
				t.Errorf("told %+v, want nothing", w.findings)
			case tc.act != "" && (len(w.findings) != 1 || w.findings[0].Act != tc.act || !errors.Is(w.findings[0].Err, tc.err) || w.findings[0].Message == ""):
				t.Errorf("told %+v, want %s with %v", w.findings, tc.act, tc.err)
			}
			if tc.want != nil {
				tc.want(w)
			}
			if now := s.Standing(); now.Staged != tc.stands.Staged || now.Recovering != tc.stands.Recovering || now.Missing != tc.stands.Missing || now.Paths != tc.stands.Paths {
				t.Errorf("stands %+v, want %+v", now, tc.stands)
			}
		})
	}
}

// reboot is the host's: the kernel has nothing any more.
func (w *world) reboot() {
	w.sessions, w.attached, w.mounts, w.boot = 0, false, nil, "second"
}

// TestReboot: nothing is logged in by itself; the kubelet stages again, and what
// was published in the former boot does not stand in a pod's way.
func TestReboot(t *testing.T) {
	w := newWorld(t)
	w.must(w.stage, w.publish)
	w.reboot()
	w.process().Reconcile(t.Context())
	if w.sessions != 0 || len(w.findings) > 0 {
		t.Fatalf("sessions %d, told %+v: want neither", w.sessions, w.findings)
	}
	w.must(w.stage)
	other := publishRequest()
	other.TargetPath, other.SingleWriter = pod+"-of-another-pod", true
	w.must(func(s *Stager) error { return s.Publish(t.Context(), other) })

	w = newWorld(t)
	w.must(w.stage)
	w.reboot()
	w.must(w.unstage)
	w.wantNothing()
}

// TestWhatIsNotOursStays: records are all that the reconciler goes by. A session
// without one is not ours, even with a target's name like ours.
func TestWhatIsNotOursStays(t *testing.T) {
	w := newWorld(t)
	w.must(w.stage)
	if err := os.RemoveAll(w.records); err != nil {
		t.Fatal(err)
	}
	w.process().Reconcile(t.Context()) // the foreign ones are watched by every test: world.ours
	w.wantStaged()
	if len(w.findings) > 0 {
		t.Errorf("told %+v", w.findings)
	}
}

func TestDamagedRecordIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.must(w.stage, func(s *Stager) error {
		return os.WriteFile(s.records.(fakeStore).store.(*records).path(volume), []byte("{"), recordMode)
	})
	w.process().Reconcile(t.Context())
	w.wantStaged()
}

// TestTroubleIsToldOnce, and again when it comes again; a session that is away at
// one look only is none.
func TestTroubleIsToldOnce(t *testing.T) {
	w := newWorld(t)
	w.must(w.stage)
	s := w.process()
	told := func(want ...Act) {
		t.Helper()
		s.Reconcile(t.Context())
		if len(w.findings) != len(want) {
			t.Fatalf("told %+v, want %v", w.findings, want)
		}
		for n := range want {
			if w.findings[n].Act != want[n] {
				t.Errorf("told %+v, want %v", w.findings, want)
			}
		}
		w.findings = nil
	}
	told()
	w.lost = 1
	told()
	told(ActRecover)
	told()
	w.lost = 0
	told()
	w.lost, w.unreached = 1, map[string]error{request().Target.Portals[0]: errors.New("no route to host")}
	told(ActPortal)
	told(ActRecover)
	if reached, known := s.Standing().Portals[request().Target.Portals[0]]; reached || !known {
		t.Errorf("portals %v", s.Standing().Portals)
	}
	was := w.unreached
	w.unreached = nil
	told()
	w.unreached = was
	told(ActPortal)
}

// TestAbandonedStageKilledAtEveryStep: its clean-up converges too.
func TestAbandonedStageKilledAtEveryStep(t *testing.T) {
	clean := func(s *Stager) error { s.repair(t.Context(), volume, ActClean); return nil }
	for step, killed := 0, true; killed; step++ {
		w := newWorld(t)
		for n := 0; w.content != "partial"; n++ { // an mkfs that was cut off, too
			w.killAt(n, w.stage)
		}
		w.age()
		killed = w.killAt(step, clean)
		w.must(clean, w.unstage)
		w.wantNothing()
		if t.Failed() {
			t.Fatalf("killed at step %d", step)
		}
	}
}

// TestReconcilerLeavesBusyVolumesAlone: a call has the volume.
func TestReconcilerLeavesBusyVolumesAlone(t *testing.T) {
	w := newWorld(t)
	w.must(w.stage)
	w.sessions = 0
	w.fenceOff(4)
	s := w.process()
	err := s.alone(volume, func() error { s.Reconcile(t.Context()); return nil })
	if err != nil || len(w.findings) > 0 || len(w.confirmed) > 0 || w.sessions != 0 {
		t.Errorf("%v, told %+v, confirmed %v", err, w.findings, w.confirmed)
	}
	if s.Standing().Fenced != 1 {
		t.Errorf("stands %+v, want one fenced", s.Standing())
	}
}

func TestRunLooksAtOnceAndThenAtIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.must(w.stage)
		w.failure["pending"] = errors.New("counted")
		s := w.process()
		go s.Run(t.Context(), time.Minute)
		time.Sleep(2*time.Minute + time.Second)
		synctest.Wait()
		if len(w.findings) != 3 {
			t.Errorf("%d rounds in two minutes, want 3", len(w.findings))
		}
	})
}
