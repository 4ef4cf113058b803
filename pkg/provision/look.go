package provision

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"k8s.io/klog/v2"

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
// token names, array after array, and the place to go on from.
func (f *Flows) List(ctx context.Context, token string, limit int) ([]san.Volume, string, error) {
	members := f.fleet.Members()
	at, start, err := readToken(token)
	if err != nil {
		return nil, "", err
	}
	var volumes []san.Volume
	for ; at < len(members); at, start = at+1, "" {
		for {
			page, next, err := members[at].Array.List(ctx, start, pageSize(limit, len(volumes)))
			if err != nil {
				return nil, "", fmt.Errorf("array %q: %w", members[at].Name, err)
			}
			volumes, start = append(volumes, page...), next
			if start == "" {
				break
			}
			if limit > 0 && len(volumes) >= limit {
				return volumes, fmt.Sprintf("%d/%s", at, start), nil
			}
		}
		if limit > 0 && len(volumes) >= limit && at+1 < len(members) {
			return volumes, fmt.Sprintf("%d/", at+1), nil
		}
	}
	return volumes, "", nil
}

const pageMax = 1000

func pageSize(limit, have int) int {
	if limit == 0 {
		return pageMax
	}
	return min(limit-have, pageMax)
}

func readToken(token string) (int, string, error) {
	if token == "" {
		return 0, "", nil
	}
	var at int
	index, start, ok := strings.Cut(token, "/")
	if _, err := fmt.Sscanf(index, "%d", &at); !ok || err != nil || at < 0 {
		return 0, "", fmt.Errorf("starting_token %.80q: %w", token, ErrToken)
	}
	return at, start, nil
}

// Capacity is what a class may still take: bytes in all, and the bounds of one
// volume.
type Capacity struct {
	AvailableBytes, MinVolumeBytes, MaxVolumeBytes int64
}

// Capacity sums what the arrays that the class allows still have. One that does
// not answer has nothing to give now.
func (f *Flows) Capacity(ctx context.Context, params map[string]string) (Capacity, error) {
	c, err := parseClass(params)
	if err != nil {
		return Capacity{}, err
	}
	members, err := f.fleet.Match(c.wish)
	if err != nil {
		return Capacity{}, err
	}
	var sum Capacity
	var failed error
	for _, m := range members {
		one, err := capacityOf(ctx, m.Array)
		if err != nil {
			failed = fmt.Errorf("array %q: %w", m.Name, err)
			klog.FromContext(ctx).Error(err, "capacity not known", "array", m.Name)
			continue
		}
		sum.AvailableBytes += one.AvailableBytes
		sum.MaxVolumeBytes = max(sum.MaxVolumeBytes, one.MaxVolumeBytes)
		if sum.MinVolumeBytes == 0 || one.MinVolumeBytes < sum.MinVolumeBytes {
			sum.MinVolumeBytes = one.MinVolumeBytes
		}
	}
	if sum.MaxVolumeBytes == 0 && failed != nil {
		return Capacity{}, failed
	}
	return sum, nil
}

func capacityOf(ctx context.Context, a san.Array) (Capacity, error) {
	room, err := a.Capacity(ctx)
	if err != nil {
		return Capacity{}, err
	}
	limits, err := a.Limits(ctx)
	if err != nil {
		return Capacity{}, err
	}
	return Capacity{
		AvailableBytes: room.AvailableBytes,
		MinVolumeBytes: limits.MinSizeBytes,
		MaxVolumeBytes: min(room.AvailableBytes, limits.MaxSizeBytes),
	}, nil
}
