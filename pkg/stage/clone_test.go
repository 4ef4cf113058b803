package stage

import (
	"slices"
	"testing"

	"github.com/san-csi/san-csi/pkg/filesystem"
)

// TestCloneOfXFS: it is mounted beside the volume it was made of, whose UUID it
// has; other filesystems do not know the flag.
func TestCloneOfXFS(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*StageRequest)
		want   []string
	}{
		"a clone":                  {func(r *StageRequest) { r.Clone = true }, []string{"noatime", "nouuid"}},
		"a clone with the flag":    {func(r *StageRequest) { r.Clone, r.MountFlags = true, []string{"nouuid"} }, []string{"nouuid"}},
		"no clone":                 {func(*StageRequest) {}, []string{"noatime"}},
		"a clone with another one": {func(r *StageRequest) { r.Clone, r.FSType = true, filesystem.Ext4 }, []string{"noatime"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			req := request()
			req.Blank, req.FSType, req.MountFlags = false, filesystem.XFS, []string{"noatime"}
			tc.change(&req)
			w.content = req.FSType
			for range 2 { // the same stage again is no conflict
				w.must(func(s *Stager) error { return s.Stage(t.Context(), req) })
			}
			if len(w.mounts) != 1 || !slices.Equal(w.mounts[0].Options, tc.want) {
				t.Errorf("mounts %+v, want one with %v", w.mounts, tc.want)
			}
		})
	}
}

// TestCloneIsGrown: to its device, wherever the process was killed before.
func TestCloneIsGrown(t *testing.T) {
	work := func(s *Stager) error {
		req := request()
		req.Blank, req.Clone = false, true
		return s.Stage(t.Context(), req)
	}
	for step, killed := 0, true; killed; step++ {
		w := newWorld(t)
		w.content, w.size = filesystem.Ext4, 2*gib
		killed = w.killAt(step, work)
		w.must(work)
		if w.grown != 2*gib || w.formatted > 0 || len(w.mounts) != 1 {
			t.Errorf("killed at step %d: grown to %d, formatted %d times, mounts %+v", step, w.grown, w.formatted, w.mounts)
		}
	}
	w := newWorld(t)
	w.content = filesystem.Ext4
	w.must(func(s *Stager) error {
		req := request()
		req.Clone, req.ReadOnly = true, true
		return s.Stage(t.Context(), req)
	})
	if w.grown != 0 || !w.protected {
		t.Errorf("a read-only grant: grown to %d, protected %t", w.grown, w.protected)
	}
	w = newWorld(t)
	w.must(w.stage)
	if w.grown != 0 || w.protected {
		t.Errorf("a volume that is no clone: grown to %d, protected %t", w.grown, w.protected)
	}
}
