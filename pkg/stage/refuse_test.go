package stage

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/filesystem"
	"github.com/san-csi/san-csi/pkg/initiator"
)

// TestStageRefuses: bad input and bad devices, each with its error; nothing is
// formatted, and nothing stays where the caller need not come back.
func TestStageRefuses(t *testing.T) {
	cases := []struct {
		name  string
		alter func(*world, *StageRequest)
		want  error
		says  string
	}{
		{"no volume", func(_ *world, r *StageRequest) { r.VolumeID = "" }, ErrInvalid, "volume id"},
		{"no path", func(_ *world, r *StageRequest) { r.StagingPath = "" }, ErrInvalid, "staging path"},
		{"no target", func(_ *world, r *StageRequest) { r.Target.IQN = "" }, ErrInvalid, "IQN"},
		{"no portal", func(_ *world, r *StageRequest) { r.Target.Portals = nil }, ErrInvalid, "portal"},
		{"option as target", func(_ *world, r *StageRequest) { r.Target.IQN = "--version" }, ErrInvalid, "--version"},
		{"no port", func(_ *world, r *StageRequest) { r.Target.Portals = []string{"10.0.0.1"} }, ErrInvalid, `"10.0.0.1"`},
		{"short naa", func(_ *world, r *StageRequest) { r.Target.NAA = "6f47" }, ErrInvalid, `"6f47"`},
		{"lun out of range", func(_ *world, r *StageRequest) { r.Target.LUN = 16384 }, ErrInvalid, "16384"},
		{"size 0", func(_ *world, r *StageRequest) { r.Target.SizeBytes = 0 }, ErrInvalid, "0 bytes"},
		{"unknown filesystem", func(_ *world, r *StageRequest) { r.FSType = "ntfs" }, ErrInvalid, `"ntfs"`},
		{"unknown fsck", func(_ *world, r *StageRequest) { r.Fsck = "maybe" }, ErrInvalid, `"maybe"`},
		{"another volume's device", func(w *world, _ *StageRequest) { w.naa = strings.Repeat("6", 32) }, ErrIdentity, strings.Repeat("6", 32)},
		{"data of another filesystem", func(w *world, _ *StageRequest) { w.content = "xfs" }, ErrForeignData, "holds xfs, ext4 wanted"},
		{"unknown data", func(w *world, _ *StageRequest) { w.content = "partial" }, ErrForeignData, "not empty"},
		{"empty, but not made so", func(_ *world, r *StageRequest) { r.Blank = false }, ErrForeignData, "clone"},
		{"empty, and read-only", func(_ *world, r *StageRequest) { r.ReadOnly = true }, ErrForeignData, "read-only"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w, req := newWorld(t), request()
			c.alter(w, &req)
			content := w.content
			err := w.process().Stage(t.Context(), req)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v that says %s", err, c.want, c.says)
			}
			if w.formatted != 0 || w.content != content {
				t.Errorf("changed: %d mkfs, content %q", w.formatted, w.content)
			}
			w.content = ""
			w.wantNothing()
		})
	}
}

// TestStageFails: what may go better the next time leaves the stage as it is,
// for a retry or an unstage.
func TestStageFails(t *testing.T) {
	cases := []struct {
		step string
		err  error
		want error
		kept bool
	}{
		{"login", initiator.ErrUnavailable, ErrUnavailable, true},
		{"login", initiator.ErrDenied, ErrUnavailable, true},
		{"login", initiator.ErrNotFound, ErrUnavailable, true},
		{"attached", context.DeadlineExceeded, context.DeadlineExceeded, true},
		{"inspect", filesystem.ErrUnreadable, ErrUnavailable, true},
		{"inspect", filesystem.ErrBusy, ErrBusy, true},
		{"mkfs", context.Canceled, context.Canceled, true},
		{"mkfs", errors.New("exit status 1"), nil, false},
		{"mount", errors.New("exit status 32"), nil, false},
	}
	for _, c := range cases {
		t.Run(c.step+" "+c.err.Error(), func(t *testing.T) {
			w := newWorld(t)
			w.failure[c.step] = c.err
			err := w.stage(w.process())
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), volume) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if r, _ := w.process().records.load(volume); (r != nil) != c.kept {
				t.Errorf("record kept: %t, want %t", r != nil, c.kept)
			}
			w.failure = nil
			w.must(w.stage)
			w.wantStaged()
			w.must(w.unstage)
			w.wantNothing()
		})
	}
}

// TestStageAgain: which second stage is the same one.
func TestStageAgain(t *testing.T) {
	cases := []struct {
		name  string
		alter func(*StageRequest)
		want  error
	}{
		{"same", func(*StageRequest) {}, nil},
		{"other portals", func(r *StageRequest) { r.Target.Portals = []string{"10.0.0.2:3260"} }, nil},
		{"older grant", func(r *StageRequest) { r.Epoch = 3 }, ErrInvalid},
		{"newer grant", func(r *StageRequest) { r.Epoch = 5 }, nil},
		{"other path", func(r *StageRequest) { r.StagingPath = "/elsewhere" }, ErrConflict},
		{"other filesystem", func(r *StageRequest) { r.FSType = "xfs" }, ErrConflict},
		{"other flags", func(r *StageRequest) { r.MountFlags = []string{"noatime"} }, ErrConflict},
		{"read-only", func(r *StageRequest) { r.ReadOnly = true }, ErrConflict},
		{"block", func(r *StageRequest) { r.Block = true }, ErrConflict},
		{"other lun", func(r *StageRequest) { r.Target.LUN = 1 }, ErrConflict},
		{"other naa", func(r *StageRequest) { r.Target.NAA = strings.Repeat("6", 32) }, ErrConflict},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w, req := newWorld(t), request()
			w.must(w.stage)
			c.alter(&req)
			if err := w.process().Stage(t.Context(), req); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			w.wantStaged()
			if w.formatted != 1 {
				t.Errorf("%d mkfs, want 1", w.formatted)
			}
		})
	}
}
