package provision

import (
	"context"
	"fmt"
	"slices"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/san"
)

// CreateGroup keeps the content of the volumes at one moment, or finds what an
// earlier call kept.
func (f *Flows) CreateGroup(ctx context.Context, name string, volumeIDs []string, params map[string]string) (*san.SnapshotGroup, error) {
	if err := refuseUnknown(params, nil); err != nil {
		return nil, err
	}
	var on placement.Member
	req := san.GroupRequest{Name: name}
	for _, id := range volumeIDs {
		m, h, err := f.member(ctx, id)
		if err != nil {
			return nil, err
		}
		if len(req.Sources) > 0 && m.Name != on.Name {
			return nil, fmt.Errorf("group %q: volume %s is on array %q, %s on %q: one group is on one array: %w", name, req.Sources[0], on.Name, h, m.Name, san.ErrInvalid)
		}
		on, req.Sources = m, append(req.Sources, h)
	}
	if len(req.Sources) == 0 {
		return nil, fmt.Errorf("group %q: no volume is given: %w", name, san.ErrInvalid)
	}
	return on.Array.CreateGroup(ctx, req)
}

// GetGroup is the group of that id, which must have those members; none = any.
func (f *Flows) GetGroup(ctx context.Context, id string, snapshotIDs []string) (*san.SnapshotGroup, error) {
	m, h, err := f.groupMember(ctx, id)
	if err != nil {
		return nil, err
	}
	g, err := m.Array.GetGroup(ctx, h)
	if err != nil {
		return nil, err
	}
	return g, checkMembers(g, snapshotIDs)
}

// DeleteGroup removes the group, which must have those members (none = any), with
// them; one that is not there is success.
func (f *Flows) DeleteGroup(ctx context.Context, id string, snapshotIDs []string) error {
	if _, err := f.GetGroup(ctx, id, snapshotIDs); err != nil {
		return gone(err)
	}
	m, h, err := f.groupMember(ctx, id)
	if err != nil {
		return err
	}
	return m.Array.DeleteGroup(ctx, h)
}

func (f *Flows) groupMember(ctx context.Context, id string) (placement.Member, san.GroupHandle, error) {
	h, err := san.ParseGroupHandle(id)
	if err != nil {
		return placement.Member{}, h, err
	}
	m, err := f.fleet.ByID(ctx, h.Array)
	if err != nil {
		return m, h, fmt.Errorf("group snapshot %s: %w", id, err)
	}
	return m, h, nil
}

func checkMembers(g *san.SnapshotGroup, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	var have []string
	for _, m := range g.Members {
		have = append(have, m.Handle.String())
	}
	if !slices.Equal(slices.Sorted(slices.Values(have)), slices.Sorted(slices.Values(ids))) {
		return fmt.Errorf("group snapshot %s has the members %v, not %v: %w", g.Handle, have, ids, san.ErrInvalid)
	}
	return nil
}
