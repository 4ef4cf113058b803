package provision

import (
	"errors"
	"testing"

	"github.com/san-csi/san-csi/pkg/san"
)

// TestListSnapshotsNeedsTheArraysAskedFor: a list of all that leaves out an array
// would tell that its snapshots are gone, so it fails while one is down; what one
// snapshot or volume is asked for needs its own array alone.
func TestListSnapshotsNeedsTheArraysAskedFor(t *testing.T) {
	a, b := newMemory("aaaa"), newMemory("bbbb")
	source := san.Handle{Array: "aaaa", Volume: 1, UUID: "0a1b2c3d"}
	a.snapshots = []san.Snapshot{{Handle: san.SnapshotHandle{Array: "aaaa", Snapshot: 5, UUID: "0a1b2c3d"}, Source: source}}
	f := flows(t, a, b)
	if listed, _, err := f.ListSnapshots(t.Context(), SnapshotFilter{}, "", 0); err != nil || len(listed) != 1 {
		t.Fatalf("all: %v, %v; want the one", listed, err)
	}
	b.down = san.ErrUnavailable
	for name, filter := range map[string]SnapshotFilter{
		"by snapshot": {SnapshotID: "aaaa:5:0a1b2c3d"},
		"by volume":   {VolumeID: source.String()},
		"by both":     {SnapshotID: "aaaa:5:0a1b2c3d", VolumeID: source.String()},
	} {
		if listed, _, err := f.ListSnapshots(t.Context(), filter, "", 0); err != nil || len(listed) != 1 {
			t.Errorf("%s: %v, %v; want the one", name, listed, err)
		}
	}
	if _, _, err := f.ListSnapshots(t.Context(), SnapshotFilter{}, "", 0); !errors.Is(err, san.ErrUnavailable) {
		t.Errorf("all: %v; want it to fail", err)
	}
	if _, _, err := f.ListSnapshots(t.Context(), SnapshotFilter{VolumeID: "bbbb:1:0a1b2c3d"}, "", 0); !errors.Is(err, san.ErrUnavailable) {
		t.Errorf("of a volume that is on the array that is down: %v; want it to fail", err)
	}
}
