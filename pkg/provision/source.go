package provision

import (
	"context"
	"fmt"
	"slices"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/san"
)

// Source names what a volume gets its content from, by id; the zero Source is
// nothing.
type Source struct {
	VolumeID, SnapshotID string
}

// origin is a source that was found.
type origin struct {
	source san.Source
	// least is what a volume made of it takes: the source's size, and the source's
	// floor until the volume's own is set, which the array does not do in one.
	least placement.Load
}

// origin finds the source, and the one array that can make a volume of it.
func (f *Flows) origin(ctx context.Context, candidates []placement.Member, req CreateRequest, w placement.Wish) ([]placement.Member, origin, error) {
	if req.Source == (Source{}) {
		return candidates, origin{}, nil
	}
	m, o, err := f.source(ctx, req.Source)
	if err != nil {
		return nil, o, fmt.Errorf("source of volume %q: %w", req.Name, err)
	}
	if limit := req.Size.Limit; limit > 0 && limit < o.least.Bytes {
		return nil, o, fmt.Errorf("limit_bytes %d: the source of volume %q has %d: %w", limit, req.Name, o.least.Bytes, san.ErrOutOfRange)
	}
	named := func(c placement.Member) bool { return c.Name == m.Name }
	if slices.ContainsFunc(candidates, named) {
		return []placement.Member{m}, o, nil
	}
	w.Topology = placement.Topology{}
	if allowed, err := f.fleet.Match(w); err == nil && slices.ContainsFunc(allowed, named) {
		return nil, o, fmt.Errorf("source of volume %q: array %q has it and is not reached from the nodes asked for, %v: %w",
			req.Name, m.Name, req.Topology.Requisite, san.ErrExhausted)
	}
	return nil, o, fmt.Errorf("source of volume %q: array %q has it, and the class does not allow that array: %w", req.Name, m.Name, san.ErrInvalid)
}

func (f *Flows) source(ctx context.Context, s Source) (placement.Member, origin, error) {
	if s.SnapshotID != "" {
		m, h, err := f.snapshotMember(ctx, s.SnapshotID)
		if err != nil {
			return m, origin{}, err
		}
		snap, err := m.Array.GetSnapshot(ctx, h)
		if err != nil {
			return m, origin{}, err
		}
		if !snap.Ready {
			return m, origin{}, fmt.Errorf("snapshot %s is not ready yet: %w", h, san.ErrUnavailable)
		}
		return m, origin{san.Source{Snapshot: h}, placement.Load{IOPS: snap.SourceQoS.Min, Bytes: snap.SizeBytes}}, nil
	}
	m, h, err := f.member(ctx, s.VolumeID)
	if err != nil {
		return m, origin{}, err
	}
	v, err := m.Array.Get(ctx, h)
	if err != nil {
		return m, origin{}, err
	}
	return m, origin{san.Source{Volume: h}, placement.Load{IOPS: v.QoS.Min, Bytes: v.SizeBytes}}, nil
}
