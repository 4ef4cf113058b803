package element

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/klog/v2"

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
	// What is remembered of a volume may be written only where nobody else can
	// have written meanwhile, and where the answer shows whether the rest is so.
	if v, r, ok := a.recall(ctx, h, refresh); ok && a.isPlain(v, r) && r.holderOf(n.IQN) < 0 && checkHolders(r, n, m) == nil {
		g, err := a.give(ctx, h, v, r, n, m)
		if !errors.Is(err, errMoved) {
			return g, err
		}
	}
	v, r, err := a.reload(ctx, h)
	if err != nil {
		return nil, err
	}
	if v, r, err = a.finishFence(ctx, v, r); err != nil {
		return nil, err
	}
	if !usable(v) {
		return nil, fmt.Errorf("its access is %q: %w", v.Access, san.ErrBusy)
	}
	if epoch := r.barring(n); epoch != 0 {
		return nil, &san.FencedError{Volume: h, Node: n, Epoch: epoch}
	}
	if checkHolders(r, n, m) != nil {
		if v, r, err = a.dropVoid(ctx, v, r); err != nil {
			return nil, err
		}
	}
	if err := checkHolders(r, n, m); err != nil {
		return nil, err
	}
	if v, r, err = a.dropStrays(ctx, v, r); err != nil {
		return nil, err
	}
	return a.give(ctx, h, v, r, n, m)
}

func usable(v api.Volume) bool {
	return v.Access == api.AccessReadWrite || v.Access == api.AccessReadOnly
}

// isPlain tells that nothing about a remembered volume asks for another look:
// no fence, no key that other clients write, nobody let in who has no grant.
func (a *Array) isPlain(v api.Volume, r record) bool {
	return r.owner.Cluster != "" && len(r.foreign) == 0 && r.fence == nil && len(r.fenced) == 0 && usable(v) && !a.hasStrays(v, r)
}

// hasStrays tells whether the volume is in a group that is not known to be one
// of a node with a grant.
func (a *Array) hasStrays(v api.Volume, r record) bool {
	return slices.ContainsFunc(v.VolumeAccessGroups, func(id int64) bool {
		return !slices.ContainsFunc(r.grants, func(h holder) bool {
			g, known, _ := a.groups.get(h.node.IQN)
			return known && g.ID == id
		})
	})
}

// give records the grant and lets the node in. What is refused then leaves no
// grant behind; errMoved where the record's answer shows another volume than the
// one that was taken for granted.
func (a *Array) give(ctx context.Context, h san.Handle, v api.Volume, r record, n san.Node, m san.Mode) (*san.Grant, error) {
	info, err := a.clusterInfo(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.checkGroup(ctx, n, v.VolumeID); err != nil {
		return nil, err
	}
	anew := r.holderOf(n.IQN) < 0
	if anew {
		if v, r, err = a.record(ctx, v, r, n, m); err != nil {
			return nil, err
		}
		if h.UUID != "" && uuidPart(v) != h.UUID || v.Status != api.StatusActive || !usable(v) || a.hasStrays(v, r) {
			err = errMoved
		}
	}
	var chap *proof
	if err == nil {
		chap, err = a.seat(ctx, v, n, anew)
	}
	if err != nil {
		if anew && (errors.Is(err, errMoved) || !errors.Is(fail("join", n, err), san.ErrUnavailable)) {
			_, _, undo := a.forget(ctx, v, r, n)
			err = errors.Join(err, undo)
		}
		return nil, err
	}
	a.latest.let(v.VolumeID, n, a.clock.Now())
	return &san.Grant{
		IQN: v.IQN, Portals: a.portals(info), LUN: 0, NAA: strings.ToLower(v.NAA), SizeBytes: v.TotalSize,
		Epoch: r.grants[r.holderOf(n.IQN)].epoch, ReadOnly: m.ReadOnly, Blank: r.blank, Clone: r.source != "", CHAP: chap.given(),
	}, nil
}

// seat puts a volume into the node's group, unless it is there, and returns how
// its initiator has to log in.
func (a *Array) seat(ctx context.Context, v api.Volume, n san.Node, anew bool) (*proof, error) {
	chap, err := a.prove(ctx, n, anew)
	if err != nil {
		return nil, err
	}
	if g, known, _ := a.groups.get(n.IQN); !known || !slices.Contains(v.VolumeAccessGroups, g.ID) {
		if err := a.join(ctx, n, v.VolumeID); err != nil {
			return nil, err
		}
	}
	return chap, a.stillProves(n, chap)
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
	if _, err := r.reserving(n).attributes(v.Name); err != nil {
		return v, r, err
	}
	v, err := a.write(ctx, v, r)
	return v, r, err
}

// dropStrays fences off members of our groups that the record does not know, as
// an addition leaves that landed after its caller gave up. A foreign group that
// holds the volume is ErrBusy.
func (a *Array) dropStrays(ctx context.Context, v api.Volume, r record) (api.Volume, record, error) {
	groups, err := a.groupsOf(ctx, v)
	if err != nil {
		return v, r, err
	}
	for _, g := range groups {
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

// dropVoid forgets the grants that let nobody in, as a record leaves that landed
// after its caller gave up: neither group nor session has the node. One that this
// process gave is none of them: it has lost its place in the group, and reseat
// gives it back.
func (a *Array) dropVoid(ctx context.Context, v api.Volume, r record) (api.Volume, record, error) {
	if len(r.grants) == 0 {
		return v, r, nil
	}
	groups, err := a.groupsOf(ctx, v)
	if err != nil {
		return v, r, err
	}
	given := a.latest.in(v.VolumeID, a.clock.Now())
	for _, n := range r.nodes() {
		if seated(groups, v.VolumeID, n) || slices.Contains(given, n) {
			continue
		}
		sessions, err := a.sessions(ctx, v.VolumeID, n.IQN)
		if err != nil {
			return v, r, err
		}
		if len(sessions) > 0 {
			continue
		}
		klog.FromContext(ctx).Info("Grant that lets nobody in is dropped", "volumeID", v.VolumeID, "node", n)
		if v, r, err = a.forget(ctx, v, r, n); err != nil {
			return v, r, err
		}
	}
	return v, r, nil
}

// reseat puts a volume back into the groups of the nodes that this process let in:
// a call that landed late took it out, or deleted the group.
func (a *Array) reseat(ctx context.Context, v api.Volume, r record) error {
	groups, err := a.groupsOf(ctx, v)
	if err != nil {
		return err
	}
	for _, n := range a.unseated(v, r, groups) {
		klog.FromContext(ctx).Info("Node gets back a volume that a late call took from it", "volumeID", v.VolumeID, "node", n)
		if _, err := a.seat(ctx, v, n, false); err != nil {
			return fmt.Errorf("give it back to %s: %w", n, err)
		}
	}
	return nil
}

// unseated are the nodes with a grant that this process let in, and whose groups,
// as these tell, do not hold the volume.
func (a *Array) unseated(v api.Volume, r record, groups []group) []san.Node {
	return slices.DeleteFunc(slices.Clone(a.latest.in(v.VolumeID, a.clock.Now())), func(n san.Node) bool {
		return r.holderOf(n.IQN) < 0 || seated(groups, v.VolumeID, n)
	})
}

// seated tells whether one of the groups lets the node have the volume.
func seated(groups []group, volume int64, n san.Node) bool {
	return slices.ContainsFunc(groups, func(g group) bool {
		in, ok := g.node()
		return ok && in == n && slices.Contains(g.Volumes, volume)
	})
}
