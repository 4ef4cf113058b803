package initiator

import (
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestCommandsOutlastTheSession: six times the disk's time-out is more than the
// session may be away.
func TestCommandsOutlastTheSession(t *testing.T) {
	for name, tc := range map[string]struct {
		timeout string // of the disk, in seconds
		away    time.Duration
		want    []string
	}{
		"two minutes are within the kernel's own": {"30", 2 * time.Minute, nil},
		"ten minutes":                                {"30", 10 * time.Minute, []string{"1:0:0:0/timeout=103"}},
		"an administrator gave more":                 {"180", 10 * time.Minute, nil},
		"a disk that never ends a command by itself": {"0", 10 * time.Minute, nil},
	} {
		t.Run(name, func(t *testing.T) {
			k, i := newKernel(t)
			i.admin.replacement = tc.away
			k.put(filepath.Join(k.lun(k.attach(iqn)), "timeout"), tc.timeout+"\n")
			if _, err := i.Attach(t.Context(), wanted()); err != nil {
				t.Fatal(err)
			}
			if did := k.did("1:0:0:0/timeout"); !slices.Equal(did, tc.want) {
				t.Errorf("wrote %q, want %q", did, tc.want)
			}
		})
	}
}
