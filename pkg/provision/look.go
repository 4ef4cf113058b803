package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/san"
)

// Get is the volume of that id.
func (f *Flows) Get(ctx context.Context, id string) (*san.Volume, error) {
	a, h, err := f.resolve(ctx, id)
	if err != nil {
		return nil, err
	}
	return a.Get(ctx, h)
}

// ErrToken: the place to go on from is none that List gave.
var ErrToken = errors.New("starting token is not one of ours")

// List is at most limit volumes (0 = as many as there are) from the place that
// token names, array after array, and the place to go on from. Those of an array
// that does not answer are listed as they were, see known.
func (f *Flows) List(ctx context.Context, token string, limit int) ([]san.Volume, string, error) {
	members := f.fleet.Members()
	return pages(members, token, limit, func(m placement.Member, start string, limit int) ([]san.Volume, string, error) {
		if len(members) == 1 {
			return m.Array.List(ctx, start, limit)
		}
		p, err := f.known.list(ctx, m, request{start, limit})
		return p.volumes, p.next, err
	})
}

// pages lists what the arrays have, one after the other.
func pages[T any](members []placement.Member, token string, limit int, list func(m placement.Member, start string, limit int) ([]T, string, error)) ([]T, string, error) {
	at, start, err := readToken(token, members)
	if err != nil {
		return nil, "", err
	}
	var all []T
	for ; at < len(members); at, start = at+1, "" {
		for {
			page, next, err := list(members[at], start, pageSize(limit, len(all)))
			if err != nil {
				return nil, "", fmt.Errorf("array %q: %w", members[at].Name, err)
			}
			all, start = append(all, page...), next
			if start == "" {
				break
			}
			if limit > 0 && len(all) >= limit {
				return all, members[at].Name + "/" + start, nil
			}
		}
		if limit > 0 && len(all) >= limit && at+1 < len(members) {
			return all, members[at+1].Name + "/", nil
		}
	}
	return all, "", nil
}

const pageMax = 1000

func pageSize(limit, have int) int {
	if limit == 0 {
		return pageMax
	}
	return min(limit-have, pageMax)
}

// readToken is the array and the place on it to go on from. A token names the
// array: a changed configuration may move it.
func readToken(token string, members []placement.Member) (int, string, error) {
	if token == "" {
		return 0, "", nil
	}
	name, start, ok := strings.Cut(token, "/")
	at := slices.IndexFunc(members, func(m placement.Member) bool { return m.Name == name })
	if !ok || at < 0 {
		return 0, "", fmt.Errorf("starting_token %.80q: %w", token, ErrToken)
	}
	return at, start, nil
}
