package element

import (
	"context"
	"fmt"
	"slices"
	"strings"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// Grant lets a node reach a volume. The grant is in the volume's attributes
// before the volume is in the node's group, so that no access is ever unknown.
func (a *Array) Grant(ctx context.Context, h san.Handle, n san.Node, m san.Mode) (*san.Grant, error) {
	if n.IQN == "" || n.Tag == "" {
		return nil, fmt.Errorf("grant volume %v: node %q has no initiator name or no tag: %w", h, n, san.ErrInvalid)
	}
	if err := a.checkKey(n); err != nil {
		return nil, fmt.Errorf("grant volume %v: %w", h, err)
	}
	n = n.Identity()
	unlock, err := a.volumes.lock(ctx, h.Volume)
	if err != nil {
		return nil, fail("grant volume", h, err)
	}
	defer unlock()
	g, err := a.grant(ctx, h, n, m)
	if err != nil {
		return nil, fail(fmt.Sprintf("grant volume %v to", h), n, err)
	}
	return g, nil
}

func (a *Array) grant(ctx context.Context, h san.Handle, n san.Node, m san.Mode) (*san.Grant, error) {
	info, err := a.clusterInfo(ctx)
	if err != nil {
		return nil, err
	}
	v, r, err := a.load(ctx, h)
	if err != nil {
		return nil, err
	}
	if v, r, err = a.finishFence(ctx, v, r); err != nil {
		return nil, err
	}
	if v.Access != api.AccessReadWrite && v.Access != api.AccessReadOnly {
		return nil, fmt.Errorf("its access is %q: %w", v.Access, san.ErrBusy)
	}
	if err := checkHolders(r, n, m); err != nil {
		return nil, err
	}
	if v, r, err = a.dropStrays(ctx, v, r); err != nil {
		return nil, err
	}
	if err := a.checkGroup(ctx, n, v.VolumeID); err != nil {
		return nil, err
	}
	fresh := r.holderOf(n.IQN) < 0
	if fresh {
		if v, r, err = a.record(ctx, v, r, n, m); err != nil {
			return nil, err
		}
	}
	chap, err := a.join(ctx, n, v.VolumeID, fresh)
	if err != nil {
		return nil, err
	}
	return &san.Grant{
		IQN: v.IQN, Portals: a.portals(info), LUN: 0, NAA: strings.ToLower(v.NAA), SizeBytes: v.TotalSize,
		Epoch: r.grants[r.holderOf(n.IQN)].epoch, ReadOnly: m.ReadOnly, Blank: r.blank, Clone: r.source != "", CHAP: chap,
	}, nil
}

// checkHolders refuses a grant beside another node's unless both are shared, and
// one of the same node in another mode.
func checkHolders(r record, n san.Node, m san.Mode) error {
	for _, h := range r.grants {
		switch {
		case h.node.IQN == n.IQN && h.node.Tag != n.Tag:
			return fmt.Errorf("initiator %s holds it for the node with tag %q, this node's is %q: two nodes have one initiator name: %w",
				n.IQN, h.node.Tag, n.Tag, san.ErrBusy)
		case h.node != n && (!m.Shared || !h.mode.Shared):
			return fmt.Errorf("node %s holds it (shared: %t, asked for: %t): %w", h.node, h.mode.Shared, m.Shared, san.ErrBusy)
		case h.node == n && h.mode != m:
			return fmt.Errorf("it is granted already, shared: %t, read only: %t; asked for are %t and %t: %w",
				h.mode.Shared, h.mode.ReadOnly, m.Shared, m.ReadOnly, san.ErrExists)
		}
	}
	return nil
}

// record writes a new grant, with room left for the mark of a fence: access
// that could not be fenced must not be given.
func (a *Array) record(ctx context.Context, v api.Volume, r record, n san.Node, m san.Mode) (api.Volume, record, error) {
	if r.owner.Cluster == "" {
		r.owner.Cluster, r.state = a.config.Cluster, stateImported
	}
	r.epoch++
	r.grants = append(slices.Clip(r.grants), holder{n, r.epoch, m})
	fenced := r
	fenced.fence = &fence{api.AccessReadWrite, n}
	if _, err := fenced.attributes(v.Name); err != nil {
		return v, r, err
	}
	v, err := a.write(ctx, v, r)
	return v, r, err
}

// dropStrays fences off members of our groups that the record does not know, as
// an addition leaves that landed after its caller gave up. A foreign group that
// holds the volume is ErrBusy.
func (a *Array) dropStrays(ctx context.Context, v api.Volume, r record) (api.Volume, record, error) {
	groups, err := a.groupsByID(ctx, v.VolumeAccessGroups)
	if err != nil {
		return v, r, err
	}
	for _, g := range groups {
		if !slices.Contains(g.Volumes, v.VolumeID) {
			continue
		}
		n, ok := g.node()
		if g.cluster != a.config.Cluster || !ok {
			return v, r, fmt.Errorf("volume %d is in access group %d (%s), which is not this cluster's: take it out there: %w",
				v.VolumeID, g.ID, g.Name, san.ErrBusy)
		}
		if slices.Contains(r.nodes(), n) {
			continue
		}
		if v, r, err = a.fenceOff(ctx, v, r, n); err != nil {
			return v, r, err
		}
	}
	return v, r, nil
}
