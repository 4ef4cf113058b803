package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/san-csi/san-csi/pkg/san"
)

func TestOrphans(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	old, young := now.Add(-48*time.Hour), now.Add(-time.Hour)
	node, err := san.NewNode("iqn.2026-01.io.x:n", "n")
	if err != nil {
		t.Fatal(err)
	}
	volume := func(n int64, v san.Volume) *san.Volume {
		v.Handle = san.Handle{Array: "aaaa", Volume: n, UUID: "0a1b2c3d"}
		if v.Created.IsZero() && n != 8 {
			v.Created = old
		}
		return &v
	}
	snapshot := func(n int64, s san.Snapshot) san.Snapshot {
		s.Handle = san.SnapshotHandle{Array: "aaaa", Snapshot: n, UUID: "0a1b2c3d"}
		s.Created = old
		return s
	}
	group := func(n int64) san.GroupHandle { return san.GroupHandle{Array: "aaaa", Group: n, UUID: "0a1b2c3d"} }
	a, b := newMemory("aaaa"), newMemory("bbbb")
	a.volumes = []*san.Volume{
		volume(1, san.Volume{}),
		volume(2, san.Volume{}),
		volume(3, san.Volume{SizeBytes: gib, Owner: san.Owner{PVC: "shop/data"}}),
		volume(4, san.Volume{Nodes: []san.Node{node}}),
		volume(5, san.Volume{Imported: true}),
		volume(6, san.Volume{Created: young}),
		volume(7, san.Volume{}),
		volume(8, san.Volume{}),
	}
	a.snapshots = []san.Snapshot{
		snapshot(1, san.Snapshot{}), snapshot(2, san.Snapshot{}),
		snapshot(3, san.Snapshot{SizeBytes: gib, Group: group(9)}), snapshot(4, san.Snapshot{SizeBytes: gib, Group: group(9)}),
		snapshot(5, san.Snapshot{Group: group(10)}), snapshot(6, san.Snapshot{Group: group(10)}),
		snapshot(7, san.Snapshot{Group: group(11)}),
	}
	names := Named{
		// The second one was written by hand; the volume with number 7 is another one now.
		Volumes:   []string{"aaaa:1:0a1b2c3d", "aaaa:2", "aaaa:7:ffffffff", "no handle", "bbbb:3"},
		Snapshots: []string{"aaaa:1:0a1b2c3d", "aaaa:6:0a1b2c3d"},
		Groups:    []string{"aaaa:11:0a1b2c3d"},
	}
	ask := func(f *Flows, names Named, failed error) ([]string, error) {
		found, err := f.Orphans(t.Context(), func(context.Context) (Named, error) { return names, failed }, 24*time.Hour, now)
		var got []string
		for _, o := range found {
			of := ""
			if o.Kind == OrphanGroup {
				of = fmt.Sprintf(" of %v", o.Members)
			}
			got = append(got, fmt.Sprintf("%s %s%s: %s", o.Kind, o.ID, of, o.Kept))
		}
		return got, err
	}
	volumes := []string{
		"volume aaaa:3:0a1b2c3d: ",
		"volume aaaa:4:0a1b2c3d: granted to " + node.String(),
		"volume aaaa:5:0a1b2c3d: imported, not made by this driver",
		"volume aaaa:6:0a1b2c3d: younger than 24h0m0s",
		"volume aaaa:7:0a1b2c3d: ",
		"volume aaaa:8:0a1b2c3d: of unknown age",
	}
	want := append([]string{
		"snapshot aaaa:2:0a1b2c3d: ",
		"snapshot aaaa:7:0a1b2c3d: a member of group snapshot aaaa:11:0a1b2c3d, goes with that alone",
		"group aaaa:9:0a1b2c3d of [aaaa:3:0a1b2c3d aaaa:4:0a1b2c3d]: ",
		"group aaaa:10:0a1b2c3d of [aaaa:5:0a1b2c3d aaaa:6:0a1b2c3d]: an object names its member aaaa:6:0a1b2c3d",
	}, volumes...)
	member := func(n, group int) string {
		return fmt.Sprintf("snapshot aaaa:%d:0a1b2c3d: a member of group snapshot aaaa:%d:0a1b2c3d, goes with that alone", n, group)
	}
	ungrouped := append([]string{"snapshot aaaa:2:0a1b2c3d: ", member(3, 9), member(4, 9), member(5, 10), member(7, 11)}, volumes...)
	f := flows(t, a, b)
	if got, err := ask(f, names, nil); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v\n%q\nwant\n%q", err, got, want)
	}
	if got, err := ask(f, Named{Volumes: names.Volumes, Snapshots: names.Snapshots}, nil); err != nil || !slices.Equal(got, ungrouped) {
		t.Errorf("where nothing is known of groups: %v\n%q\nwant\n%q", err, got, ungrouped)
	}
	if got, err := ask(f, Named{Volumes: names.Volumes}, nil); err != nil || !slices.Equal(got, volumes) {
		t.Errorf("where nothing is known of snapshots: %q, %v", got, err)
	}
	if got, err := ask(f, names, errors.New("forbidden")); err == nil || got != nil {
		t.Errorf("where the objects cannot be read: %q, %v", got, err)
	}
	b.down = san.ErrUnavailable
	if got, err := ask(f, names, nil); !errors.Is(err, san.ErrUnavailable) || !slices.Equal(got, want) {
		t.Errorf("while an array is down: %q, %v", got, err)
	}
}
