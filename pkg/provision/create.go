package provision

import (
	"context"
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
	Topology   Topology
	Source     Source // of its content

	from origin // the source, once it was found
}

// Topology says where a volume is to be reachable from.
type Topology = placement.Topology

// Created is the volume and what goes into its context.
type Created struct {
	Volume   *san.Volume
	Context  map[string]string
	Topology []map[string]string // which nodes reach it; empty = every node
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
	c.wish.Topology = req.Topology
	if err := req.Size.check(); err != nil {
		return nil, err
	}
	candidates, err := f.fleet.Match(c.wish)
	if err != nil {
		return nil, err
	}
	if candidates, req.from, err = f.origin(ctx, candidates, req, c.wish); err != nil {
		return nil, err
	}
	c.owner.StorageClass = f.classOf(ctx, c.owner.PVC)
	p, err := f.place(ctx, candidates, req, c)
	if err != nil {
		return nil, err
	}
	v, err := p.Array.Create(ctx, p.request)
	p.hold.Settle(v, err)
	if err != nil {
		return nil, fmt.Errorf("volume %q on array %q: %w", req.Name, p.Name, err)
	}
	f.tellQoS(c.owner.PVC, v)
	return &Created{Volume: v, Context: c.node, Topology: p.Topology}, nil
}
