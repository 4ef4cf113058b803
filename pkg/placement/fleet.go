// Package placement knows the arrays that are configured and says which one
// takes a volume.
package placement

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/san"
)

// Member is one configured array.
type Member struct {
	Name   string
	Labels map[string]string
	Array  san.Array
}

// Fleet is the arrays of one driver, in the order of the configuration.
type Fleet struct {
	members []Member
}

// NewFleet is the fleet of these members; their names differ.
func NewFleet(members []Member) *Fleet {
	return &Fleet{members: slices.Clone(members)}
}

// ErrNoArray: no configured array has that id; it comes with san.ErrNotFound.
var ErrNoArray = errors.New("array not configured")

// Wish is what a class asks of an array.
type Wish struct {
	Array    string            // by name; "" = any
	Selector map[string]string // labels that must all be there
}

// Members are all arrays.
func (f *Fleet) Members() []Member { return slices.Clone(f.members) }

// Match lists the arrays that a wish allows. It is san.ErrInvalid where there
// is none: no retry makes a misspelt name right.
func (f *Fleet) Match(w Wish) ([]Member, error) {
	var found []Member
	for _, m := range f.members {
		if (w.Array == "" || m.Name == w.Array) && hasLabels(m.Labels, w.Selector) {
			found = append(found, m)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	if w.Array != "" && len(w.Selector) == 0 {
		return nil, fmt.Errorf("array %q: not configured (there are: %s): %w", w.Array, f.names(), san.ErrInvalid)
	}
	return nil, fmt.Errorf("array %q, arraySelector %v: no configured array matches (there are: %s): %w", w.Array, w.Selector, f.names(), san.ErrInvalid)
}

// Choose is the first of the arrays with room for size bytes; arrays that
// cannot be reached are passed over while another one will do.
func (f *Fleet) Choose(ctx context.Context, candidates []Member, size int64) (Member, error) {
	if len(candidates) == 1 {
		return candidates[0], nil // the array itself refuses what does not fit
	}
	var last error
	for _, m := range candidates {
		room, err := m.Array.Capacity(ctx)
		if err == nil && room.AvailableBytes >= size {
			return m, nil
		}
		if err == nil {
			err = fmt.Errorf("array %q: %d bytes wanted, %d available: %w", m.Name, size, room.AvailableBytes, san.ErrExhausted)
		}
		klog.FromContext(ctx).V(2).Info("array passed over", "array", m.Name, "err", err)
		last = err
	}
	return Member{}, fmt.Errorf("%d arrays match and none takes the volume, the last one said: %w", len(candidates), last)
}

// ByID is the array of that unique id. An array whose id is not known yet is
// asked; one that does not answer is passed over unless the id could be its own.
func (f *Fleet) ByID(ctx context.Context, id string) (Member, error) {
	var down error
	for _, m := range f.members {
		identity, err := m.Array.Identity(ctx)
		if err != nil {
			down = fmt.Errorf("array %q: %w", m.Name, err)
			continue
		}
		if identity.UniqueID == id {
			return m, nil
		}
	}
	if down != nil {
		return Member{}, fmt.Errorf("array with id %q: not among those that answer: %w", id, down)
	}
	return Member{}, fmt.Errorf("array with id %q (there are: %s): %w: %w", id, f.names(), ErrNoArray, san.ErrNotFound)
}

func (f *Fleet) names() string {
	names := make([]string, len(f.members))
	for i, m := range f.members {
		names[i] = m.Name
	}
	return strings.Join(names, ", ")
}

func hasLabels(labels, wanted map[string]string) bool {
	for key, want := range wanted {
		if v, ok := labels[key]; !ok || v != want {
			return false
		}
	}
	return true
}
