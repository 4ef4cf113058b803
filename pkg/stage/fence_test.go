package stage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"
)

// fenceOff is what the controller does while this node is away: the grant is
// over, and what the node still holds of it must not be written.
func (w *world) fenceOff(epoch int64) {
	w.fenced, w.pending[volume] = true, epoch
}

func (w *world) obey(s *Stager) error { return s.obey(w.t.Context(), volume, request().Epoch) }

// TestFencedVolumeIsTakenDown at whatever step the process is killed, also under
// a pod that has files open; confirmed after nothing is left, not before.
func TestFencedVolumeIsTakenDown(t *testing.T) {
	steps := 0
	for killed := true; killed; steps++ {
		w := newWorld(t)
		w.must(w.stage, w.publish)
		w.open[pod], w.open[staging] = true, true
		w.fenceOff(4)
		killed = w.killAt(steps, w.obey)
		w.must(w.obey)
		w.wantNothing()
		if w.confirmed[volume] != 4 || t.Failed() {
			t.Fatalf("killed at step %d: confirmed %v, want epoch 4", steps, w.confirmed)
		}
	}
	if steps < 8 {
		t.Errorf("only %d kill points", steps)
	}
}

func TestFence(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare func(*world)
		stays   bool  // the volume, on the node
		want    int64 // confirmed
		failed  bool
	}{
		"staged under that epoch":   {func(w *world) { w.fenceOff(4) }, false, 4, false},
		"staged under an older one": {func(w *world) { w.fenceOff(6) }, false, 6, false},
		"staged under a newer one":  {func(w *world) { w.pending[volume] = 3 }, true, 3, false},
		"mounted where no record says": {func(w *world) {
			w.mounts = append(w.mounts, w.mounts[0])
			w.mounts[1].Path = "/elsewhere"
			w.fenceOff(4)
		}, false, 4, false},
		"held by something else": {func(w *world) { w.fenceOff(4); w.failure["delete"] = ErrBusy }, false, 0, true},
		"a device that hangs":    {func(w *world) { w.fenceOff(4); w.failure["sever"] = context.DeadlineExceeded }, true, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.must(w.stage)
			tc.prepare(w)
			w.process().Reconcile(t.Context())
			if w.confirmed[volume] != tc.want || (len(w.mounts) > 0) != tc.stays {
				t.Errorf("confirmed %v, want %d; mounts %v, want any: %t", w.confirmed, tc.want, w.mounts, tc.stays)
			}
			f := w.findings[0]
			if f.Act != ActFence || f.VolumeID != volume || (f.Err != nil) != tc.failed {
				t.Errorf("told %+v, want a fence that failed: %t", w.findings, tc.failed)
			}
		})
	}
}

// A volume that the node knows nothing of is confirmed; one whose record alone
// is lost is found by its staging path.
func TestFenceWithoutRecord(t *testing.T) {
	w := newWorld(t)
	w.pending["t:8:0123abcd"] = 2
	w.process().Reconcile(t.Context())
	if w.confirmed["t:8:0123abcd"] != 2 {
		t.Errorf("confirmed %v", w.confirmed)
	}

	w, req := newWorld(t), request()
	sum := sha256.Sum256([]byte(volume))
	req.StagingPath = "/kubelet/plugins/san-csi.io/" + hex.EncodeToString(sum[:]) + "/globalmount"
	w.must(func(s *Stager) error { return s.Stage(t.Context(), req) }, func(s *Stager) error { return s.records.remove(volume) })
	w.fenceOff(4)
	w.process().Reconcile(t.Context())
	w.wantNothing()
	if w.confirmed[volume] != 4 {
		t.Errorf("confirmed %v", w.confirmed)
	}
}

// After a fence no call of the old grant does anything to the array any more.
func TestCallsAfterAFence(t *testing.T) {
	w := newWorld(t)
	w.must(w.stage, w.publish)
	s := w.process()
	w.fenceOff(4)
	w.failure["sever"] = errors.New("not now")
	s.Reconcile(t.Context())
	w.failure = nil
	if err := w.stage(s); !errors.Is(err, ErrInvalid) {
		t.Errorf("stage under the fenced epoch: %v, want ErrInvalid", err)
	}
	if w.open[pod] = true; w.unstage(s) != nil || w.confirmed[volume] != 0 {
		t.Errorf("unstage, confirmed %v: want the volume gone, and no word of it yet", w.confirmed)
	}
	w.wantNothing()
	s.Reconcile(t.Context())
	if w.confirmed[volume] != 4 {
		t.Errorf("confirmed %v", w.confirmed)
	}
	w.fenced, w.pending = false, nil
	s.Reconcile(t.Context())
	if err := w.stageNewer(s); err != nil {
		t.Errorf("stage under a newer epoch: %v", err)
	}
}

// A fenced volume that could not be taken down is not logged in again.
func TestFencedVolumeIsNotLoggedIn(t *testing.T) {
	w := newWorld(t)
	w.must(w.stage)
	w.fenceOff(4)
	w.sessions, w.attached, w.failure["umount"] = 0, false, ErrBusy
	w.process().Reconcile(t.Context())
	if w.sessions != 0 || len(w.findings) != 1 || w.findings[0].Err == nil || len(w.confirmed) > 0 {
		t.Errorf("sessions %d, told %+v, confirmed %v: want a fence that failed alone", w.sessions, w.findings, w.confirmed)
	}
}

func TestFencesThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	w.must(w.stage)
	w.failure["pending"] = errors.New("no API")
	w.process().Reconcile(t.Context())
	w.wantStaged()
	if len(w.findings) != 1 || w.findings[0].Act != ActLook || w.findings[0].Err == nil {
		t.Errorf("told %+v", w.findings)
	}
}
