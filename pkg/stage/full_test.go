package stage

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// fill makes the host's disk full: no record can be saved any more, those that
// are there can be removed.
func (w *world) fill() { w.failure["save"] = unix.ENOSPC }

// TestFullDisk: a stage that cannot be written down is refused before anything is
// done, and what is staged can still leave the node.
func TestFullDisk(t *testing.T) {
	t.Run("stage", func(t *testing.T) {
		w := newWorld(t)
		w.fill()
		if err := w.stage(w.process()); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("got %v, want ENOSPC", err)
		}
		if w.steps > 1 {
			t.Errorf("%d steps were made, the save alone was to be tried", w.steps)
		}
		w.wantNothing()
	})
	t.Run("publish", func(t *testing.T) {
		w := newWorld(t)
		w.must(w.stage)
		w.fill()
		if err := w.publish(w.process()); !errors.Is(err, unix.ENOSPC) || len(w.mounts) != 1 {
			t.Errorf("got %v with mounts %v", err, w.mounts)
		}
		w.must(w.unstage)
		w.wantNothing()
	})
	t.Run("unpublish and unstage", func(t *testing.T) {
		w := newWorld(t)
		w.must(w.stage, w.publish)
		w.fill()
		w.must(w.unpublish, w.unpublish, w.unstage)
		w.wantNothing()
	})
	t.Run("unstage of half an mkfs", func(t *testing.T) {
		w := newWorld(t)
		for n := 0; w.content != "partial"; n++ {
			w.killAt(n, w.stage)
		}
		w.fill()
		w.must(w.unstage)
		w.wantNothing()
	})
	t.Run("a path that the record still names is in nobody's way", func(t *testing.T) {
		w := newWorld(t)
		w.must(w.stage, w.publish)
		w.fill()
		w.must(w.unpublish)
		w.failure = nil
		next := publishRequest()
		next.TargetPath, next.SingleWriter = pod+"2", true
		w.must(func(s *Stager) error { return s.Publish(t.Context(), next) })
	})
}
