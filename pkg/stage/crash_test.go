package stage

import (
	"errors"
	"os"
	"testing"
)

const (
	volume  = "t:7:0123abcd"
	staging = "/kubelet/staging"
	pod     = "/kubelet/pods/1/mount"
)

func request() StageRequest {
	return StageRequest{
		VolumeID: volume, StagingPath: staging, Epoch: 4, Blank: true, FSType: "ext4",
		Target: Target{IQN: testIQN, Portals: []string{"10.0.0.1:3260"}, NAA: testNAA, SizeBytes: gib},
	}
}

func publishRequest() PublishRequest {
	return PublishRequest{VolumeID: volume, StagingPath: staging, TargetPath: pod, ReadOnly: true}
}

// The flows as the caller calls them.
func (w *world) stage(s *Stager) error     { return s.Stage(w.t.Context(), request()) }
func (w *world) unstage(s *Stager) error   { return s.Unstage(w.t.Context(), volume, staging) }
func (w *world) publish(s *Stager) error   { return s.Publish(w.t.Context(), publishRequest()) }
func (w *world) unpublish(s *Stager) error { return s.Unpublish(w.t.Context(), volume, pod) }

func (w *world) must(flows ...func(*Stager) error) {
	w.t.Helper()
	for n, flow := range flows {
		if err := flow(w.process()); err != nil {
			w.t.Fatalf("flow %d: %v", n, err)
		}
	}
}

func (w *world) wantStaged() {
	w.t.Helper()
	at := w.mountsAt(staging)
	if w.sessions != 1 || !w.attached || len(at) != 1 || at[0].Device != w.number || w.content != "ext4" {
		w.t.Errorf("not staged: sessions %d, attached %t, mounts %v, content %q", w.sessions, w.attached, w.mounts, w.content)
	}
}

func (w *world) wantNothing() {
	w.t.Helper()
	left, err := os.ReadDir(w.records)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.sessions != 0 || w.attached || len(w.mounts) != 0 || len(left) != 0 {
		w.t.Errorf("left behind: sessions %d, attached %t, mounts %v, records %v", w.sessions, w.attached, w.mounts, left)
	}
	if w.content == "partial" {
		w.t.Error("half a filesystem left behind: no node would take it")
	}
}

// TestKilledAtEveryStep kills the process at each step of each flow, and lets
// the caller go on as callers do: with the same call, or with its opposite.
func TestKilledAtEveryStep(t *testing.T) {
	type flows = []func(*world, *Stager) error
	cases := []struct {
		name   string
		before flows
		killed func(*world, *Stager) error
		after  flows
		want   func(*world)
	}{
		{"stage, stage again", nil, (*world).stage, flows{(*world).stage}, (*world).wantStaged},
		{"stage, unstage", nil, (*world).stage, flows{(*world).unstage}, (*world).wantNothing},
		{"stage, unstage, stage", nil, (*world).stage, flows{(*world).unstage, (*world).stage}, (*world).wantStaged},
		{"unstage, unstage again", flows{(*world).stage}, (*world).unstage, flows{(*world).unstage}, (*world).wantNothing},
		{"unstage, stage", flows{(*world).stage}, (*world).unstage, flows{(*world).stage}, (*world).wantStaged},
		{"publish, publish again", flows{(*world).stage}, (*world).publish, flows{(*world).publish}, (*world).wantPublished},
		{"publish, unpublish, unstage", flows{(*world).stage}, (*world).publish, flows{(*world).unpublish, (*world).unstage}, (*world).wantNothing},
		{"unpublish, again, unstage", flows{(*world).stage, (*world).publish}, (*world).unpublish, flows{(*world).unpublish, (*world).unstage}, (*world).wantNothing},
		{"newer grant over a published one", flows{(*world).stage, (*world).publish}, (*world).stageNewer, flows{(*world).stageNewer}, (*world).wantStagedOnly},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			kills := 0
			for was := true; was; kills++ {
				w := newWorld(t)
				for _, flow := range c.before {
					w.must(func(s *Stager) error { return flow(w, s) })
				}
				was = w.killAt(kills, func(s *Stager) error { return c.killed(w, s) })
				for _, flow := range c.after {
					w.must(func(s *Stager) error { return flow(w, s) })
				}
				c.want(w)
				if t.Failed() {
					t.Fatalf("when killed at step %d", kills)
				}
			}
			if kills < 4 {
				t.Errorf("only %d kill points: the flow was not reached", kills)
			}
		})
	}
}

func (w *world) stageNewer(s *Stager) error {
	req := request()
	req.Epoch++
	if r, err := s.records.load(volume); err == nil && r != nil && r.Epoch < req.Epoch {
		w.fenced = true
	}
	return s.Stage(w.t.Context(), req)
}

func (w *world) wantStagedOnly() {
	w.t.Helper()
	w.wantStaged()
	if len(w.mounts) != 1 || w.offline {
		w.t.Errorf("more than the stage: mounts %v, offline %t", w.mounts, w.offline)
	}
}

func (w *world) wantPublished() {
	w.t.Helper()
	w.wantStaged()
	if at := w.mountsAt(pod); len(at) != 1 || !at[0].ReadOnly || at[0].Device != w.number {
		w.t.Errorf("not published read-only, once: %v", w.mounts)
	}
}

// A newer grant cannot know what other nodes did with a device on which this
// node's mkfs was cut off under an older one.
func TestCutOffMkfsIsNotRepeatedUnderANewerGrant(t *testing.T) {
	w := newWorld(t)
	for n := 0; w.content != "partial"; n++ {
		w.killAt(n, w.stage)
	}
	if err := w.stageNewer(w.process()); !errors.Is(err, ErrForeignData) {
		t.Errorf("got %v, want ErrForeignData", err)
	}
	if w.formatted != 1 {
		t.Errorf("%d mkfs, want 1", w.formatted)
	}
}
