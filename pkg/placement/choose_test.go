package placement

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/san"
)

// member is an array of 1000 IOPS of which that many are promised, reached from
// the zone of that name ("" = from everywhere).
func member(t *testing.T, name, zone string, promised int64) Member {
	t.Helper()
	m := Member{Name: name, Labels: map[string]string{"tier": "fast", "name": name}}
	if zone != "" {
		m.Topology = []map[string]string{{"zone": zone}}
	}
	var promises []san.Promise
	if promised > 0 {
		promises = floors("east", 1, promised)
	}
	m.Ledger = opened(t, &shelf{promises: promises}, Budget{})
	m.Ledger.array = name
	return m
}

func zone(name string) map[string]string { return map[string]string{"zone": name, "host": "any"} }

func TestMatch(t *testing.T) {
	f := &Fleet{members: []Member{member(t, "a", "1", 0), member(t, "b", "2", 0), member(t, "c", "", 0)}}
	f.members = append(f.members, Member{Name: "d", Leaving: true})
	for name, tc := range map[string]struct {
		wish Wish
		want string
		err  error
		says string
	}{
		"any":                     {Wish{}, "a, b, c", nil, ""},
		"by name":                 {Wish{Array: "b"}, "b", nil, ""},
		"by label":                {Wish{Selector: map[string]string{"tier": "fast", "name": "c"}}, "c", nil, ""},
		"by name and label":       {Wish{Array: "a", Selector: map[string]string{"name": "b"}}, "", san.ErrInvalid, "no configured array matches"},
		"no such name":            {Wish{Array: "z"}, "", san.ErrInvalid, "there are: a, b, c)"},
		"one that leaves":         {Wish{Array: "d"}, "", san.ErrInvalid, "not configured"},
		"from a zone":             {Wish{Topology: Topology{Requisite: []map[string]string{zone("2")}}}, "b, c", nil, ""},
		"from one of two zones":   {Wish{Topology: Topology{Requisite: []map[string]string{zone("2"), zone("1")}}}, "a, b, c", nil, ""},
		"from where only c goes":  {Wish{Topology: Topology{Requisite: []map[string]string{zone("3")}}}, "c", nil, ""},
		"from where none goes":    {Wish{Array: "a", Topology: Topology{Requisite: []map[string]string{zone("3")}}}, "", san.ErrExhausted, "none is reached"},
		"from a node of no label": {Wish{Topology: Topology{Requisite: []map[string]string{{}}}}, "c", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := f.Match(tc.wish)
			if got := names(found); got != tc.want || !errors.Is(err, tc.err) {
				t.Fatalf("got %q, %v; want %q, %v", got, err, tc.want, tc.err)
			}
			if err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%q does not say %q", err, tc.says)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	preferred := func(zones ...string) Topology {
		var p Topology
		for _, z := range zones {
			p.Preferred = append(p.Preferred, zone(z))
		}
		return p
	}
	for name, tc := range map[string]struct {
		promised map[string]int64 // by array; arrays are in the zones of their names
		topology Topology
		held     string // by which a call of unknown outcome was sent to before
		want     string
	}{
		"the most headroom":            {map[string]int64{"a": 500, "b": 400, "c": 600}, Topology{}, "", "b"},
		"the first of equals":          {map[string]int64{"a": 500, "b": 500, "c": 600}, Topology{}, "", "a"},
		"the preferred one":            {map[string]int64{"a": 500, "b": 400, "c": 600}, preferred("c", "b"), "", "c"},
		"the next, where that is full": {map[string]int64{"a": 500, "b": 400, "c": 950}, preferred("c", "b"), "", "b"},
		"one that nobody preferred":    {map[string]int64{"a": 500, "b": 950, "c": 950}, preferred("c", "b"), "", "a"},
		"where it was sent before":     {map[string]int64{"a": 500, "b": 400, "c": 600}, preferred("b"), "c", "c"},
		"none":                         {map[string]int64{"a": 901, "b": 1000, "c": 950}, Topology{}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var bids []Bid
			for _, array := range []string{"a", "b", "c"} {
				m := member(t, array, array, tc.promised[array])
				if array == tc.held {
					create(t, m.Ledger, "pvc-1", 100).Settle(nil, san.ErrUnavailable)
				}
				bids = append(bids, Bid{m, Load{IOPS: 100, Bytes: 1}})
			}
			b, h, err := Choose("pvc-1", tc.topology, bids)
			if b.Name != tc.want || (err == nil) != (h != nil) {
				t.Fatalf("chose %q, %v; want %q", b.Name, err, tc.want)
			}
			if tc.want != "" {
				b.Ledger.wants(t, "chosen", tc.promised[tc.want]+100)
				return
			}
			if !errors.Is(err, san.ErrExhausted) {
				t.Error(err)
			}
			for _, part := range []string{`array "a"`, "901 of 1000", `array "b"`, "1000 of 1000", `array "c"`, "950 of 1000"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

// array is a shelf as a whole array.
type array struct {
	san.Array
	*shelf
}

func (a array) Capacity(ctx context.Context) (san.Capacity, error) { return a.shelf.Capacity(ctx) }

func (a array) Promises(ctx context.Context) ([]san.Promise, error) { return a.shelf.Promises(ctx) }

func TestReplace(t *testing.T) {
	room := san.Capacity{BoundBytes: 1000, BlockBytes: 1000, MaxIOPS: 1000}
	a := array{shelf: &shelf{capacity: room, promises: floors("east", 1, 100)}}
	b := array{shelf: &shelf{capacity: room, promises: floors("west", 1, 100)}}
	f := NewFleet("east", []Member{{Name: "a", Array: a}, {Name: "b", Array: b}})
	for _, m := range f.Members() {
		resync(t, m.Ledger)
	}
	ledger := f.Members()[0].Ledger
	held := create(t, f.Members()[1].Ledger, "pvc-late", 0)

	if leaving := f.Replace([]Member{{Name: "a", Array: array{}, Budget: Budget{CapacityIOPS: 7}}}); !slices.Equal(leaving, []string{"b"}) {
		t.Errorf("%v leave, want b", leaving)
	}
	now := f.Members()
	if len(now) != 2 || now[0].Ledger != ledger || now[0].Array != san.Array(a) || !now[1].Leaving {
		t.Fatalf("members %+v", now)
	}
	if got := now[0].Ledger.standing().Bound.IOPS; got != 7 {
		t.Errorf("the budget of a is %d, want the new one", got)
	}
	if gone := f.forget(); len(gone) != 0 {
		t.Errorf("%v are let go with a call on its way", gone)
	}
	held.Settle(nil, san.ErrInvalid)

	if leaving := f.Replace([]Member{{Name: "c", Array: array{shelf: &shelf{}}}}); !slices.Equal(leaving, []string{"a", "b"}) {
		t.Errorf("%v leave, want a and b", leaving)
	}
	if gone := f.forget(); !slices.Equal(gone, []string{"b"}) {
		t.Errorf("%v are let go, want b: a still has a volume of ours", gone)
	}
	if leaving := f.Replace([]Member{{Name: "a", Array: a}}); !slices.Equal(leaving, []string{"c"}) || f.Members()[0].Leaving {
		t.Errorf("%v leave, want c; a is back", leaving)
	}
	a.promises = nil
	f.Replace([]Member{{Name: "c", Array: array{shelf: &shelf{}}}})
	a.err = san.ErrUnavailable
	if err := ledger.Resync(t.Context()); err == nil || len(f.forget()) != 0 {
		t.Error("an array that does not answer is let go")
	}
	a.err = nil
	resync(t, ledger)
	if gone := f.forget(); !slices.Equal(gone, []string{"a"}) {
		t.Errorf("%v are let go, want a", gone)
	}
}
