package provision

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/san"
)

func TestListGoesThroughAllArrays(t *testing.T) {
	a, b, c := newMemory("aaaa"), newMemory("bbbb"), newMemory("cccc")
	for i := range 5 {
		a.volumes = append(a.volumes, &san.Volume{Name: fmt.Sprintf("a%d", i)})
	}
	c.volumes = append(c.volumes, &san.Volume{Name: "c0"})
	want := []string{"a0", "a1", "a2", "a3", "a4", "c0"}
	for limit := 0; limit <= 7; limit++ {
		t.Run(fmt.Sprint("pages of ", limit), func(t *testing.T) {
			var got []string
			for token := ""; ; {
				page, next, err := flows(t, a, b, c).List(t.Context(), token, limit)
				if err != nil {
					t.Fatal(err)
				}
				if limit > 0 && len(page) > limit {
					t.Fatalf("%d volumes in a page of %d", len(page), limit)
				}
				for _, v := range page {
					got = append(got, v.Name)
				}
				if token = next; token == "" {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
	if _, _, err := flows(t, a).List(t.Context(), "invalid-token", 0); !errors.Is(err, ErrToken) {
		t.Errorf("a token of no form: got %v", err)
	}
}

// TestCapacity: what the scheduler sees goes with the bytes and the floors that
// are left, class by class.
func TestCapacity(t *testing.T) {
	const least, most = 1_000_000_000, 1 << 44
	class := func(pairs ...string) map[string]string {
		c := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			c[pairs[i]] = pairs[i+1]
		}
		return c
	}
	for name, tc := range map[string]struct {
		params map[string]string
		place  string
		spoil  func(a, b *memory) // arrays of 5 and 7 GiB, each of 1000 IOPS
		want   Capacity
	}{
		"of all":                           {want: Capacity{12 * gib, least, 7 * gib}},
		"of one":                           {params: class("array", "a"), want: Capacity{5 * gib, least, 5 * gib}},
		"while b is down":                  {spoil: func(_, b *memory) { b.down = san.ErrUnavailable }, want: Capacity{5 * gib, least, 5 * gib}},
		"from where b is":                  {place: "b", want: Capacity{7 * gib, least, 7 * gib}},
		"from where none is":               {place: "c", want: Capacity{}},
		"a floor that fits":                {params: class("minIOPS", "1000"), want: Capacity{12 * gib, least, 7 * gib}},
		"a floor that fits one":            {params: class("minIOPS", "1000"), spoil: func(a, _ *memory) { a.iops = 999 }, want: Capacity{7 * gib, least, 7 * gib}},
		"a floor that fits none":           {params: class("minIOPS", "1001"), want: Capacity{0, least, 0}},
		"the default floor, which fits":    {spoil: func(a, b *memory) { a.iops, b.iops = 50, 49 }, want: Capacity{5 * gib, least, 5 * gib}},
		"a policy's floor":                 {params: class("qosPolicy", "gold"), spoil: func(a, b *memory) { a.iops, b.iops = 499, 500 }, want: Capacity{7 * gib, least, 7 * gib}},
		"per GiB, bytes are short":         {params: class("minIOPSPerGiB", "100"), want: Capacity{12 * gib, least, 7 * gib}},
		"per GiB, floors are short":        {params: class("minIOPSPerGiB", "500"), want: Capacity{4 * gib, least, 2 * gib}},
		"per GiB, not even the least":      {params: class("minIOPSPerGiB", "2000"), want: Capacity{0, least, 0}},
		"per GiB, up to the class's top":   {params: class("minIOPSPerGiB", "100", "maxIOPS", "300"), want: Capacity{12 * gib, least, 3 * gib}},
		"per GiB, past the array's bound":  {params: class("minIOPSPerGiB", "10000"), spoil: func(a, _ *memory) { a.iops, a.free = 40_000, 1<<50 }, want: Capacity{2 * most, least, most}},
		"per GiB, below the array's bound": {params: class("minIOPSPerGiB", "1"), spoil: func(a, b *memory) { a.iops, b.iops = 49, 50 }, want: Capacity{7 * gib, least, 7 * gib}},
		"bytes are gone":                   {spoil: func(a, b *memory) { a.free, b.free = least-1, 0 }, want: Capacity{0, least, 0}},
		"a class that no array can have":   {params: class("minIOPS", "15001"), want: Capacity{0, least, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newMemory("aaaa"), newMemory("bbbb")
			a.free, b.free, a.iops, b.iops = 5*gib, 7*gib, 1000, 1000
			if tc.spoil != nil {
				tc.spoil(a, b)
			}
			f := New(placement.NewFleet("cluster-1", []placement.Member{
				{Name: "a", Array: a, Topology: []map[string]string{{"zone": "a"}}},
				{Name: "b", Array: b, Topology: []map[string]string{{"zone": "b"}}},
			}), "cluster-1")
			var place map[string]string
			if tc.place != "" {
				place = map[string]string{"zone": tc.place, "host": "h"}
			}
			got, err := f.Capacity(t.Context(), tc.params, place)
			if err != nil || got != tc.want {
				t.Errorf("got %+v and %v, want %+v", got, err, tc.want)
			}
		})
	}
	down := newMemory("aaaa")
	down.down = san.ErrUnavailable
	if _, err := flows(t, down).Capacity(t.Context(), nil, nil); !errors.Is(err, san.ErrUnavailable) {
		t.Errorf("no array answers: got %v", err)
	}
}
