package stage

import (
	"errors"
	"testing"

	"github.com/san-csi/san-csi/pkg/initiator"
)

func TestHealth(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil  func(*world)
		reason string // "" = healthy
		usable bool
	}{
		"as it should be":      {func(*world) {}, "", false},
		"no session":           {func(w *world) { w.sessions, w.attached = 0, false }, "SessionMissing", false},
		"no device":            {func(w *world) { w.attached = false }, "DeviceMissing", false},
		"session in recovery":  {func(w *world) { w.lost = w.sessions }, "SessionInRecovery", false},
		"a path is away":       {func(w *world) { w.sessions, w.lost = 2, 1 }, "PathsMissing", true},
		"a map lacks a path":   {func(w *world) { w.name = "dm-0" }, "PathsMissing", true},
		"another device":       {func(w *world) { w.number = "8:48" }, "DeviceReplaced", false},
		"nothing mounted":      {func(w *world) { w.mounts = nil }, "NotMounted", false},
		"read-only on its own": {func(w *world) { w.mounts[0].ReadOnly = true }, "RemountedReadOnly", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.process()
			req := request()
			req.Target.Portals = append(req.Target.Portals, second)
			if err := s.Stage(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			tc.spoil(w)
			got, err := s.Health(t.Context(), request().VolumeID)
			if err != nil {
				t.Fatal(err)
			}
			if tc.reason == "" {
				if len(got) > 0 {
					t.Errorf("got %+v, want nothing", got)
				}
				return
			}
			if len(got) != 1 || got[0].Reason != tc.reason || got[0].Usable != tc.usable || got[0].Message == "" {
				t.Errorf("got %+v, want %s, usable %t", got, tc.reason, tc.usable)
			}
		})
	}
}

func TestHealthOfWhatIsNotStaged(t *testing.T) {
	if _, err := newWorld(t).process().Health(t.Context(), "other"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestNodeHealth(t *testing.T) {
	w := newWorld(t)
	if got := w.process().NodeHealth(t.Context()); len(got) > 0 {
		t.Errorf("iscsid listens: got %+v", got)
	}
	w.daemon = initiator.ErrUnavailable
	if got := w.process().NodeHealth(t.Context()); len(got) != 1 || got[0].Reason != "DaemonDown" || !got[0].Usable {
		t.Errorf("iscsid is down: got %+v", got)
	}
}
