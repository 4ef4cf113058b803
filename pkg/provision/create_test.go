package provision

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

const gib = 1 << 30

func TestCreateGivesTheArrayWhatTheClassSays(t *testing.T) {
	for name, tc := range map[string]struct {
		params, mutable map[string]string
		size            Size
		want            qos.Values
		wantSize        int64
	}{
		"floor, ceiling and burst": {
			params: map[string]string{"minIOPS": "50", "maxIOPS": "100", "burstIOPS": "200"}, size: Size{Required: 2 * gib},
			want: qos.Values{Min: 50, Max: 100, Burst: 200}, wantSize: 2 * gib,
		},
		"scaled by the size": {
			params: map[string]string{"minIOPSPerGiB": "10", "maxIOPSPerGiB": "100"}, size: Size{Required: 20 * gib},
			want: qos.Values{Min: 200, Max: 2000}, wantSize: 20 * gib,
		},
		"scaled and clamped to the array": {
			params: map[string]string{"minIOPSPerGiB": "1"}, size: Size{Required: gib},
			want: qos.Values{Min: 50}, wantSize: gib,
		},
		"a VolumeAttributesClass over the class": {
			params: map[string]string{"minIOPS": "50", "maxIOPS": "100"}, mutable: map[string]string{"maxIOPS": "300"}, size: Size{Required: gib},
			want: qos.Values{Min: 50, Max: 300}, wantSize: gib,
		},
		"no size":            {wantSize: gib},
		"only a small limit": {size: Size{Limit: 1_000_000_000}, wantSize: 1_000_000_000},
	} {
		t.Run(name, func(t *testing.T) {
			a := newMemory("3eeu")
			made, err := flows(t, a).Create(t.Context(), CreateRequest{Name: "pvc-1", Size: tc.size, Parameters: tc.params, Mutable: tc.mutable})
			if err != nil {
				t.Fatal(err)
			}
			if v := made.Volume; v.QoS != tc.want || v.SizeBytes != tc.wantSize || v.Owner.Cluster != "cluster-1" {
				t.Errorf("got %+v, want %+v of %d bytes", v, tc.want, tc.wantSize)
			}
		})
	}
}

func TestCreateRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		params  map[string]string
		mutable map[string]string
		size    Size
		want    string
	}{
		"an unknown key":            {params: map[string]string{"maxIOPs": "100"}, want: `maxIOPs: value "100": must be one of`},
		"text for a number":         {params: map[string]string{"maxIOPS": "abc"}, want: `maxIOPS: value "abc"`},
		"a floor over the ceiling":  {params: map[string]string{"minIOPS": "200", "maxIOPS": "100"}, want: `minIOPS: value "200"`},
		"below the array's bound":   {params: map[string]string{"maxIOPS": "99"}, want: "from 100 to 200000"},
		"an unknown array":          {params: map[string]string{"array": "z"}, want: `array "z": not configured`},
		"labels that nobody has":    {params: map[string]string{"arraySelector": "site=z"}, want: "no configured array matches"},
		"a selector of no form":     {params: map[string]string{"arraySelector": "site"}, want: "not key=value"},
		"another end":               {params: map[string]string{"onDelete": "shred"}, want: "purge or keep"},
		"another fsck":              {params: map[string]string{"fsck": "always"}, want: "preen, off or repair"},
		"placement in a VAC":        {mutable: map[string]string{"array": "a"}, want: "array"},
		"a negative size":           {size: Size{Required: -1}, want: "required_bytes -1"},
		"a limit below the request": {size: Size{Required: 2, Limit: 1}, want: "required_bytes 2: more than limit_bytes 1"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newMemory("3eeu")
			_, err := flows(t, a).Create(t.Context(), CreateRequest{Name: "pvc-1", Size: tc.size, Parameters: tc.params, Mutable: tc.mutable})
			var parameter *qos.ParameterError
			if !errors.Is(err, san.ErrInvalid) && !errors.As(err, &parameter) {
				t.Fatalf("got %v, want an invalid argument", err)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %q, want it to say %q", err, tc.want)
			}
			if len(a.volumes) != 0 {
				t.Error("a volume was made all the same")
			}
		})
	}
}

func TestCreateChoosesTheArray(t *testing.T) {
	for name, tc := range map[string]struct {
		params map[string]string
		spoil  func(a, b *memory)
		want   string
	}{
		"the first of equals":    {want: "aaaa"},
		"the most headroom":      {spoil: func(a, _ *memory) { a.iops = 50_000 }, want: "bbbb"},
		"past one with too few":  {params: map[string]string{"minIOPS": "500"}, spoil: func(a, _ *memory) { a.iops = 499 }, want: "bbbb"},
		"by name":                {params: map[string]string{"array": "b"}, want: "bbbb"},
		"by label":               {params: map[string]string{"arraySelector": "site=b"}, want: "bbbb"},
		"past one that is full":  {spoil: func(a, _ *memory) { a.free = 0 }, want: "bbbb"},
		"where it was made once": {spoil: func(_, b *memory) { b.volumes = []*san.Volume{{Name: "pvc-1"}} }, want: "bbbb"},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newMemory("aaaa"), newMemory("bbbb")
			if tc.spoil != nil {
				tc.spoil(a, b)
			}
			made, err := flows(t, a, b).Create(t.Context(), CreateRequest{Name: "pvc-1", Parameters: tc.params})
			if err != nil {
				t.Fatal(err)
			}
			if got := made.Volume.Handle.Array; got != tc.want {
				t.Errorf("made on %s, want %s", got, tc.want)
			}
		})
	}
}

// A volume that may exist on an array that is down must not be made twice; one
// that cannot exist there is made elsewhere.
func TestCreateBesideAnArrayThatIsDown(t *testing.T) {
	for name, tc := range map[string]struct {
		before func(t *testing.T, f *Flows, a *memory) // while a answers
		want   error
	}{
		"never read":       {func(*testing.T, *Flows, *memory) {}, san.ErrUnavailable},
		"read, without it": {ready, nil},
		"read, with it": {func(t *testing.T, f *Flows, a *memory) {
			a.volumes = []*san.Volume{{Name: "pvc-1", Owner: san.Owner{Cluster: "cluster-1"}}}
			ready(t, f, a)
		}, san.ErrUnavailable},
		"its outcome unknown": {func(t *testing.T, f *Flows, a *memory) {
			ready(t, f, a)
			a.lost = true
			if _, err := f.Create(t.Context(), CreateRequest{Name: "pvc-1", Parameters: map[string]string{"array": "a"}}); err == nil {
				t.Fatal("the answer was lost, and is told")
			}
		}, san.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newMemory("aaaa"), newMemory("bbbb")
			f := flows(t, a, b)
			tc.before(t, f, a)
			a.down = fmt.Errorf("no route: %w", san.ErrUnavailable)
			_, err := f.Create(t.Context(), CreateRequest{Name: "pvc-1"})
			if !errors.Is(err, tc.want) || (len(b.volumes) == 1) != (tc.want == nil) {
				t.Errorf("got %v and %d volumes on the other array, want %v", err, len(b.volumes), tc.want)
			}
		})
	}
}

// ready has the ledgers read.
func ready(t *testing.T, f *Flows, _ *memory) {
	t.Helper()
	for _, m := range f.fleet.Members() {
		if err := m.Ledger.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAllArraysDown: the caller is told to try again.
func TestAllArraysDown(t *testing.T) {
	a, b := newMemory("aaaa"), newMemory("bbbb")
	f := flows(t, a, b)
	ready(t, f, nil)
	a.down, b.down = san.ErrUnavailable, san.ErrUnavailable
	if _, err := f.Create(t.Context(), CreateRequest{Name: "pvc-1"}); !errors.Is(err, san.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestCreateByTopology(t *testing.T) {
	place := func(name string) map[string]string { return map[string]string{"zone": name} }
	for name, tc := range map[string]struct {
		topology Topology
		want     string
		err      error
	}{
		"from anywhere":          {Topology{}, "aaaa", nil},
		"from where b is":        {Topology{Requisite: []map[string]string{place("b")}}, "bbbb", nil},
		"better from where b is": {Topology{Requisite: []map[string]string{place("a"), place("b")}, Preferred: []map[string]string{place("b")}}, "bbbb", nil},
		"from where none is":     {Topology{Requisite: []map[string]string{place("c")}}, "", san.ErrExhausted},
	} {
		t.Run(name, func(t *testing.T) {
			f := New(placement.NewFleet("cluster-1", []placement.Member{
				{Name: "a", Array: newMemory("aaaa"), Topology: []map[string]string{place("a")}},
				{Name: "b", Array: newMemory("bbbb"), Topology: []map[string]string{place("b")}},
			}), "cluster-1")
			made, err := f.Create(t.Context(), CreateRequest{Name: "pvc-1", Topology: tc.topology})
			if !errors.Is(err, tc.err) || (made == nil) != (tc.want == "") {
				t.Fatalf("got %+v and %v, want %q and %v", made, err, tc.want, tc.err)
			}
			if made != nil && (made.Volume.Handle.Array != tc.want || made.Topology[0]["zone"] != tc.want[:1]) {
				t.Errorf("made on %s, reached from %v; want %s", made.Volume.Handle.Array, made.Topology, tc.want)
			}
		})
	}
}

func TestTheClaimIsTheOwner(t *testing.T) {
	made, err := flows(t, newMemory("3eeu")).Create(t.Context(), CreateRequest{Name: "pvc-1", Parameters: map[string]string{
		"csi.storage.k8s.io/pvc/name": "data", "csi.storage.k8s.io/pvc/namespace": "shop", "csi.storage.k8s.io/pv/name": "pvc-1",
		"mkfsOptions": "-m 0", "fsck": "off",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if want := (san.Owner{Cluster: "cluster-1", PVC: "shop/data", PV: "pvc-1"}); made.Volume.Owner != want {
		t.Errorf("owner %+v, want %+v", made.Volume.Owner, want)
	}
	if made.Context[ContextMkfsOptions] != "-m 0" || made.Context[ContextFsck] != "off" || len(made.Context) != 2 {
		t.Errorf("context %v", made.Context)
	}
}
