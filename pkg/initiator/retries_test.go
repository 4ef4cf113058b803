package initiator

import (
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestCommandsOutlastTheSession: (retries + 1) times the disk's time-out is more
// than the session may be away.
func TestCommandsOutlastTheSession(t *testing.T) {
	for name, tc := range map[string]struct {
		retries, timeout string // of the disk; "" = the kernel has no such attribute
		away             time.Duration
		want             []string
	}{
		"two minutes are within the kernel's own": {"5", "30", 2 * time.Minute, nil},
		"ten minutes":                                {"5", "30", 10 * time.Minute, []string{"1:0:0:0/max_retries=20"}},
		"not a multiple of the time-out":             {"5", "60", 10*time.Minute + time.Second, []string{"1:0:0:0/max_retries=11"}},
		"an administrator gave more":                 {"40", "30", 10 * time.Minute, nil},
		"without end":                                {"-1", "30", 10 * time.Minute, nil},
		"a kernel without it":                        {"", "30", 10 * time.Minute, nil},
		"a disk that never ends a command by itself": {"5", "0", 10 * time.Minute, nil},
	} {
		t.Run(name, func(t *testing.T) {
			k, i := newKernel(t)
			i.admin.replacement = tc.away
			n := k.attach(iqn)
			if tc.retries != "" {
				k.put(filepath.Join(k.lun(n), "scsi_disk", "1:0:0:0", "max_retries"), tc.retries+"\n")
			}
			k.put(filepath.Join(k.lun(n), "timeout"), tc.timeout+"\n")
			if _, err := i.Attach(t.Context(), wanted()); err != nil {
				t.Fatal(err)
			}
			if did := k.did("1:0:0:0/max"); !slices.Equal(did, tc.want) {
				t.Errorf("wrote %q, want %q", did, tc.want)
			}
		})
	}
}
