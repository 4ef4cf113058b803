package provision

import (
	"errors"
	"fmt"
	"testing"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

// withSource is an array with a volume of 4 GiB and a floor of 500, and a
// snapshot of it from when it had 2 GiB.
func withSource(id string) (*memory, Source, Source) {
	a := newMemory(id)
	v := san.Handle{Array: id, Volume: 1, UUID: "0a1b2c3d"}
	s := san.SnapshotHandle{Array: id, Snapshot: 7, UUID: "0a1b2c3d"}
	values := qos.Values{Min: 500, Max: 1000, Burst: 2000}
	a.volumes = []*san.Volume{{Handle: v, Name: "source", SizeBytes: 4 * gib, QoS: values, Owner: san.Owner{Cluster: "cluster-1"}}}
	a.snapshots = []san.Snapshot{{Handle: s, Source: v, SourceQoS: values, SizeBytes: 2 * gib, Ready: true}}
	return a, Source{VolumeID: v.String()}, Source{SnapshotID: s.String()}
}

// TestCloneTakesTheClassAndTheSourcesSize: whichever array is larger.
func TestCloneTakesTheClassAndTheSourcesSize(t *testing.T) {
	for name, tc := range map[string]struct {
		snapshot bool
		size     Size
		params   map[string]string
		want     int64
		floor    int64
	}{
		"as large as the volume":   {size: Size{Required: gib}, want: 4 * gib},
		"as large as the snapshot": {snapshot: true, size: Size{Required: gib}, want: 2 * gib},
		"no size":                  {snapshot: true, want: 2 * gib},
		"larger":                   {snapshot: true, size: Size{Required: 8 * gib}, want: 8 * gib},
		"scaled by its own size":   {params: map[string]string{"minIOPSPerGiB": "100"}, size: Size{Required: gib}, want: 4 * gib, floor: 400},
	} {
		t.Run(name, func(t *testing.T) {
			b, volume, snap := withSource("bbbb")
			from := volume
			if tc.snapshot {
				from = snap
			}
			made, err := flows(t, newMemory("aaaa"), b).Create(t.Context(), CreateRequest{Name: "clone", Size: tc.size, Parameters: tc.params, Source: from})
			if err != nil {
				t.Fatal(err)
			}
			if v := made.Volume; v.Handle.Array != "bbbb" || v.SizeBytes != tc.want || v.QoS.Min != tc.floor || b.sources[0].IsZero() {
				t.Errorf("made %+v of %+v; want %d bytes and a floor of %d", v, b.sources, tc.want, tc.floor)
			}
		})
	}
}

func TestCloneRefuses(t *testing.T) {
	b, volume, snap := withSource("bbbb")
	unready := snap
	b.snapshots = append(b.snapshots, san.Snapshot{Handle: san.SnapshotHandle{Array: "bbbb", Snapshot: 8}})
	unready.SnapshotID = "bbbb:8"
	for name, tc := range map[string]struct {
		from   Source
		size   Size
		params map[string]string
		want   error
	}{
		"a limit below the source":    {volume, Size{Limit: 3 * gib}, nil, san.ErrOutOfRange},
		"an array without the source": {volume, Size{}, map[string]string{"array": "a"}, san.ErrInvalid},
		"no such volume":              {Source{VolumeID: "bbbb:77"}, Size{}, nil, san.ErrNotFound},
		"no such snapshot":            {Source{SnapshotID: "bbbb:77"}, Size{}, nil, san.ErrNotFound},
		"no handle":                   {Source{SnapshotID: "snap-1"}, Size{}, nil, san.ErrNotFound},
		"an array not configured":     {Source{SnapshotID: "zzzz:1"}, Size{}, nil, placement.ErrNoArray},
		"a snapshot in preparation":   {unready, Size{}, nil, san.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := flows(t, newMemory("aaaa"), b).Create(t.Context(), CreateRequest{Name: "clone", Size: tc.size, Parameters: tc.params, Source: tc.from})
			if !errors.Is(err, tc.want) || len(b.volumes) != 1 {
				t.Errorf("got %v and %d volumes, want %v", err, len(b.volumes), tc.want)
			}
		})
	}
}

// TestCloneNotReached: the nodes asked for reach another array only.
func TestCloneNotReached(t *testing.T) {
	b, volume, _ := withSource("bbbb")
	place := func(name string) []map[string]string { return []map[string]string{{"zone": name}} }
	f := New(placement.NewFleet("cluster-1", []placement.Member{
		{Name: "a", Array: newMemory("aaaa"), Topology: place("a")}, {Name: "b", Array: b, Topology: place("b")},
	}), "cluster-1")
	if _, err := f.Create(t.Context(), CreateRequest{Name: "clone", Source: volume, Topology: Topology{Requisite: place("a")}}); !errors.Is(err, san.ErrExhausted) {
		t.Errorf("got %v", err)
	}
}

// TestCloneIsAdmittedAtTheLarger: of the source's floor, which the clone has
// until its own is set, and of the class's.
func TestCloneIsAdmittedAtTheLarger(t *testing.T) {
	for name, tc := range map[string]struct {
		budget int64
		floor  string
		want   error
	}{
		"the source's does not fit": {999, "50", san.ErrExhausted},
		"the source's fits":         {1000, "50", nil},
		"the class's does not fit":  {1099, "600", san.ErrExhausted},
		"the class's fits":          {1100, "600", nil},
	} {
		t.Run(name, func(t *testing.T) {
			a, volume, _ := withSource("aaaa")
			a.iops = tc.budget
			f := flows(t, a)
			made, err := f.Create(t.Context(), CreateRequest{Name: "clone", Source: volume, Parameters: map[string]string{"minIOPS": tc.floor}})
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			if err != nil {
				return
			}
			if promised := f.fleet.Members()[0].Ledger; made.Volume.QoS.Min == 500 || promised == nil {
				t.Errorf("made %+v", made.Volume)
			}
			room, err := f.fleet.Members()[0].Ledger.Room(t.Context())
			if err != nil || fmt.Sprint(tc.budget-500-room.IOPS) != tc.floor {
				t.Errorf("%d IOPS are left of %d, %v; want the class's floor to be held", room.IOPS, tc.budget, err)
			}
		})
	}
}

func TestListSnapshots(t *testing.T) {
	a, volume, snap := withSource("aaaa")
	b, _, _ := withSource("bbbb")
	f := flows(t, a, b)
	for name, tc := range map[string]struct {
		filter SnapshotFilter
		want   int
	}{
		"all":                         {SnapshotFilter{}, 2},
		"by id":                       {SnapshotFilter{SnapshotID: snap.SnapshotID}, 1},
		"by volume":                   {SnapshotFilter{VolumeID: volume.VolumeID}, 1},
		"by both":                     {SnapshotFilter{SnapshotID: snap.SnapshotID, VolumeID: volume.VolumeID}, 1},
		"by id, of another volume":    {SnapshotFilter{SnapshotID: snap.SnapshotID, VolumeID: "aaaa:2"}, 0},
		"by an id that is none":       {SnapshotFilter{SnapshotID: "none-such"}, 0},
		"by an id that is not there":  {SnapshotFilter{SnapshotID: "aaaa:77"}, 0},
		"by a volume that is none":    {SnapshotFilter{VolumeID: "none-such"}, 0},
		"of an array not configured":  {SnapshotFilter{SnapshotID: "zzzz:1"}, 0},
		"by a volume without any":     {SnapshotFilter{VolumeID: "bbbb:2"}, 0},
		"by id, of the volume's twin": {SnapshotFilter{SnapshotID: snap.SnapshotID, VolumeID: "bbbb:1:0a1b2c3d"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, next, err := f.ListSnapshots(t.Context(), tc.filter, "", 0)
			if err != nil || next != "" || len(got) != tc.want {
				t.Errorf("got %+v, next %q, %v; want %d", got, next, err, tc.want)
			}
		})
	}
	first, next, err := f.ListSnapshots(t.Context(), SnapshotFilter{}, "", 1)
	if err != nil || len(first) != 1 || next == "" {
		t.Fatalf("got %+v, next %q, %v", first, next, err)
	}
	if rest, end, err := f.ListSnapshots(t.Context(), SnapshotFilter{}, next, 0); err != nil || len(rest) != 1 || end != "" || rest[0].Handle == first[0].Handle {
		t.Errorf("got %+v, next %q, %v", rest, end, err)
	}
	if _, _, err := f.ListSnapshots(t.Context(), SnapshotFilter{}, "no token", 0); !errors.Is(err, ErrToken) {
		t.Errorf("got %v", err)
	}
}

func TestGroupsAreOfOneArray(t *testing.T) {
	a, volume, _ := withSource("aaaa")
	b, other, _ := withSource("bbbb")
	f := flows(t, a, b)
	for name, tc := range map[string]struct {
		ids    []string
		params map[string]string
		want   error
	}{
		"of two arrays": {[]string{volume.VolumeID, other.VolumeID}, nil, san.ErrInvalid},
		"of none":       {nil, nil, san.ErrInvalid},
		"no handle":     {[]string{volume.VolumeID, "vol-1"}, nil, san.ErrNotFound},
	} {
		if _, err := f.CreateGroup(t.Context(), "group-1", tc.ids, tc.params); !errors.Is(err, tc.want) || a.group != nil || b.group != nil {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
	var parameter *qos.ParameterError
	if _, err := f.CreateGroup(t.Context(), "group-1", []string{volume.VolumeID}, map[string]string{"minIOPS": "50"}); !errors.As(err, &parameter) {
		t.Errorf("with a parameter: got %v", err)
	}
	g, err := f.CreateGroup(t.Context(), "group-1", []string{volume.VolumeID}, map[string]string{"csi.storage.k8s.io/volumegroupsnapshot/name": "g"})
	if err != nil {
		t.Fatal(err)
	}
	id := g.Handle.String()
	if err := f.DeleteGroup(t.Context(), id, []string{"aaaa:99"}); !errors.Is(err, san.ErrInvalid) || a.group == nil {
		t.Errorf("with another member: got %v", err)
	}
	for range 2 {
		if err := f.DeleteGroup(t.Context(), id, []string{"aaaa:1"}); err != nil || a.group != nil {
			t.Errorf("got %v", err)
		}
	}
}
