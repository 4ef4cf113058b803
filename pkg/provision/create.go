package provision

import (
	"context"
	"errors"
	"fmt"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/san"
)

// CreateRequest is a volume wanted.
type CreateRequest struct {
	Name       string
	Size       Size
	Parameters map[string]string // of the StorageClass
	Mutable    map[string]string // of the VolumeAttributesClass, over the former
}

// Created is the volume and what goes into its context.
type Created struct {
	Volume  *san.Volume
	Context map[string]string
}

// Create makes the volume, or finds the one that an earlier call made.
func (f *Flows) Create(ctx context.Context, req CreateRequest) (*Created, error) {
	c, err := parseClass(req.Parameters)
	if err != nil {
		return nil, err
	}
	over, err := parseMutable(req.Mutable)
	if err != nil {
		return nil, err
	}
	c.qos = c.qos.Merge(over)
	c.owner.Cluster = f.cluster
	if err := req.Size.check(); err != nil {
		return nil, err
	}
	candidates, err := f.fleet.Match(c.wish)
	if err != nil {
		return nil, err
	}
	m, err := f.place(ctx, candidates, req, c)
	if err != nil {
		return nil, err
	}
	v, err := f.createOn(ctx, m, req, c)
	if err != nil {
		return nil, fmt.Errorf("volume %q on array %q: %w", req.Name, m.Name, err)
	}
	return &Created{Volume: v, Context: c.node}, nil
}

// place is the array that has the volume already, else the one that takes it.
// Where several arrays would do, each is asked first: an earlier call that was
// cut off may have chosen another one.
func (f *Flows) place(ctx context.Context, candidates []placement.Member, req CreateRequest, c class) (placement.Member, error) {
	if len(candidates) > 1 {
		for _, m := range candidates {
			_, err := m.Array.Find(ctx, req.Name, c.account)
			if err == nil {
				return m, nil
			}
			if !errors.Is(err, san.ErrNotFound) {
				return placement.Member{}, fmt.Errorf("volume %q: is it on array %q already? %w", req.Name, m.Name, err)
			}
		}
	}
	return f.fleet.Choose(ctx, candidates, req.Size.orDefault())
}

func (f *Flows) createOn(ctx context.Context, m placement.Member, req CreateRequest, c class) (*san.Volume, error) {
	limits, err := m.Array.Limits(ctx)
	if err != nil {
		return nil, err
	}
	size := req.Size.orDefault()
	if req.Size.Required == 0 {
		size = max(size, limits.MinSizeBytes)
	}
	quality, err := values(c.qos, roundUp(size, limits.SizeStep), limits)
	if err != nil {
		return nil, err
	}
	return m.Array.Create(ctx, san.CreateRequest{
		Name:       req.Name,
		SizeBytes:  size,
		LimitBytes: req.Size.Limit,
		QoS:        quality,
		Account:    c.account,
		Owner:      c.owner,
		Note:       note{QoS: c.qos.Parameters(), Keep: c.keep}.String(),
	})
}

func roundUp(n, step int64) int64 {
	if step <= 1 || n%step == 0 {
		return n
	}
	return n - n%step + step
}
