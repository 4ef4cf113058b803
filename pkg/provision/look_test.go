package provision

import (
	"errors"
	"fmt"
	"slices"
	"testing"

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

func TestCapacity(t *testing.T) {
	a, b := newMemory("aaaa"), newMemory("bbbb")
	a.free, b.free = 5*gib, 7*gib
	for name, tc := range map[string]struct {
		params map[string]string
		down   error
		want   Capacity
	}{
		"of all":          {nil, nil, Capacity{AvailableBytes: 12 * gib, MinVolumeBytes: 1_000_000_000, MaxVolumeBytes: 7 * gib}},
		"of one":          {map[string]string{"array": "a"}, nil, Capacity{AvailableBytes: 5 * gib, MinVolumeBytes: 1_000_000_000, MaxVolumeBytes: 5 * gib}},
		"while b is down": {nil, san.ErrUnavailable, Capacity{AvailableBytes: 5 * gib, MinVolumeBytes: 1_000_000_000, MaxVolumeBytes: 5 * gib}},
	} {
		t.Run(name, func(t *testing.T) {
			b.down = tc.down
			got, err := flows(t, a, b).Capacity(t.Context(), tc.params, nil)
			if err != nil || got != tc.want {
				t.Errorf("got %+v and %v, want %+v", got, err, tc.want)
			}
		})
	}
	b.down = san.ErrUnavailable
	if _, err := flows(t, b).Capacity(t.Context(), nil, nil); !errors.Is(err, san.ErrUnavailable) {
		t.Errorf("no array answers: got %v", err)
	}
}
