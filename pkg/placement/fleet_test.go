package placement

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"

	"github.com/san-csi/san-csi/pkg/san"
)

// named is an array of which only the identity is asked.
type named struct {
	san.Array
	id   string
	down error
}

func (n named) Identity(context.Context) (san.Identity, error) {
	return san.Identity{UniqueID: n.id}, n.down
}

func TestByID(t *testing.T) {
	fleet := func(a, b error) *Fleet {
		return NewFleet("east", []Member{{Name: "a", Array: named{id: "aaaa", down: a}}, {Name: "b", Array: named{id: "bbbb", down: b}}})
	}
	for name, tc := range map[string]struct {
		fleet *Fleet
		id    string
		want  string
		err   error
	}{
		"known":                        {fleet(nil, nil), "bbbb", "b", nil},
		"while another one is down":    {fleet(san.ErrUnavailable, nil), "bbbb", "b", nil},
		"not configured":               {fleet(nil, nil), "cccc", "", ErrNoArray},
		"perhaps the one that is down": {fleet(san.ErrUnavailable, nil), "cccc", "", san.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := tc.fleet.ByID(t.Context(), tc.id)
			if !errors.Is(err, tc.err) || m.Name != tc.want {
				t.Errorf("got %q and %v, want %q and %v", m.Name, err, tc.want, tc.err)
			}
		})
	}
}

// TestByIDAsksOnce: an array that went down is not asked who it is, and keeps
// nobody from another one's volumes.
func TestByIDAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &named{id: "aaaa"}, &named{id: "bbbb"}
		f := NewFleet("east", []Member{{Name: "a", Array: a}, {Name: "b", Array: b}})
		for range 2 {
			for id, want := range map[string]string{"aaaa": "a", "bbbb": "b"} {
				if m, err := f.ByID(t.Context(), id); err != nil || m.Name != want {
					t.Errorf("%s is %q, %v", id, m.Name, err)
				}
			}
			synctest.Wait() // for answers that nobody waited for
			a.down = san.ErrUnavailable
		}
	})
}

// hung is an array that answers nothing.
type hung struct{ san.Array }

func (hung) Identity(ctx context.Context) (san.Identity, error) {
	<-ctx.Done()
	return san.Identity{}, ctx.Err()
}

func TestByIDBesideAnArrayThatHangs(t *testing.T) {
	f := NewFleet("east", []Member{{Name: "hung", Array: hung{}}, {Name: "b", Array: named{id: "bbbb"}}})
	if m, err := f.ByID(t.Context(), "bbbb"); err != nil || m.Name != "b" {
		t.Errorf("got %q, %v", m.Name, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.ByID(ctx, "cccc"); !errors.Is(err, context.Canceled) {
		t.Errorf("perhaps the one that hangs: %v", err)
	}
}

func TestParseSelector(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"tier=fast":         {"tier": "fast"},
		"tier=fast, site=a": {"tier": "fast", "site": "a"},
		"":                  nil,
		"tier":              nil,
		"tier=":             nil,
		"=fast":             nil,
		"tier=a,tier=b":     nil,
	} {
		t.Run(text, func(t *testing.T) {
			got, err := ParseSelector(text)
			if (err != nil) != (want == nil) || err == nil && !maps.Equal(got, want) {
				t.Errorf("got %v and %v, want %v", got, err, want)
			}
			if err != nil && !errors.Is(err, san.ErrInvalid) {
				t.Errorf("got %v, want ErrInvalid", err)
			}
		})
	}
}
