package element

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/klog/v2"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

const (
	firstPoll = 50 * time.Millisecond
	maxPoll   = 2 * time.Second
)

// Revoke takes a volume from a node, or from every node, and returns when the
// node can no longer write to it.
func (a *Array) Revoke(ctx context.Context, h san.Handle, n san.Node) error {
	n = n.Identity()
	unlock, err := a.volumes.lock(ctx, h.Volume)
	if err != nil {
		return fail("revoke volume", h, err)
	}
	defer unlock()
	if err := a.revoke(ctx, h, n); err != nil && !errors.Is(err, san.ErrNotFound) {
		return fail(fmt.Sprintf("revoke volume %v from", h), n, err)
	}
	return nil
}

func (a *Array) revoke(ctx context.Context, h san.Handle, n san.Node) error {
	if v, r, ok := a.recall(ctx, h, refresh); ok && a.isPlain(v, r) && slices.Contains(r.nodes(), n) {
		v, r, err := a.fenceOff(ctx, v, r, n)
		if err == nil && !a.hasStrays(v, r) || ctx.Err() != nil {
			return err
		}
		// Whatever it is, a look shows it.
	}
	v, r, err := a.reload(ctx, h)
	if err != nil {
		return err
	}
	if v, r, err = a.finishFence(ctx, v, r); err != nil {
		return err
	}
	nodes, err := a.reaching(ctx, v, r)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if n != (san.Node{}) && n != node {
			continue
		}
		if v, r, err = a.fenceOff(ctx, v, r, node); err != nil {
			return err
		}
	}
	if a.blind(v, r) {
		// A grant by a process that died may be on its way: so there is a write that
		// it will be seen to have come after.
		_, err = a.write(ctx, v, r)
	}
	return err
}

// reaching are the nodes that have a grant, or are let in by a group of ours
// all the same.
func (a *Array) reaching(ctx context.Context, v api.Volume, r record) ([]san.Node, error) {
	nodes := r.nodes()
	groups, err := a.groupsOf(ctx, v)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		n, ok := g.node()
		if ok && g.cluster == a.config.Cluster && !slices.Contains(nodes, n) {
			nodes = append(nodes, n)
		}
	}
	return nodes, nil
}

// fenceOff ends a node's access: no new session, then no old one, then no
// grant. Its caller holds the volume's lock. It may be cut off anywhere and
// begun again, since the grant goes last.
func (a *Array) fenceOff(ctx context.Context, v api.Volume, r record, n san.Node) (api.Volume, record, error) {
	if err := a.part(ctx, n, v.VolumeID); err != nil {
		return v, r, err
	}
	sessions, err := a.sessions(ctx, v.VolumeID, n.IQN)
	if err != nil {
		return v, r, err
	}
	if len(sessions) > 0 {
		klog.FromContext(ctx).Info("Initiator keeps a session on a volume that is taken from it",
			"volumeID", v.VolumeID, "initiator", n.IQN, "address", sessions[0].InitiatorIP)
		if others := r.without(n).nodes(); len(others) > 0 {
			return a.outwait(ctx, v, r, n, others)
		}
		return a.lockOut(ctx, v, r, n)
	}
	return a.forget(ctx, v, r, n)
}

// forget drops the grant, if there is one.
func (a *Array) forget(ctx context.Context, v api.Volume, r record, n san.Node) (api.Volume, record, error) {
	if !slices.Contains(r.nodes(), n) {
		return v, r, nil
	}
	r = r.without(n)
	v, err := a.write(ctx, v, r)
	return v, r, err
}

// outwait waits for a session to end that cannot be ended here, because locking
// the volume would cut off others. The node is kept out from now on.
func (a *Array) outwait(ctx context.Context, v api.Volume, r record, n san.Node, others []san.Node) (api.Volume, record, error) {
	v, err := a.write(ctx, v, r.bar(n))
	if err != nil {
		return v, r, err
	}
	r = r.bar(n)
	if err := a.awaitNoSession(ctx, v.VolumeID, n.IQN); err != nil {
		return v, r, fmt.Errorf("initiator %s still has a session on volume %d, which cannot be locked while %v holds it: %w: %w",
			n.IQN, v.VolumeID, others, san.ErrUnavailable, err)
	}
	return a.forget(ctx, v, r, n)
}

// lockOut locks the volume until the session is gone. What it is about to do is
// in the attributes first, so that a crash leaves no volume locked for ever.
func (a *Array) lockOut(ctx context.Context, v api.Volume, r record, n san.Node) (api.Volume, record, error) {
	if !slices.Contains(r.nodes(), n) {
		r.grants = append(slices.Clip(r.grants), holder{node: n, epoch: r.epoch})
	}
	r.fence = &fence{former: v.Access, node: n}
	v, err := a.write(ctx, v, r)
	if err != nil {
		return v, r, err
	}
	return a.finishFence(ctx, v, r)
}

// finishFence carries out a fence that is in the record. Until the session is
// gone the volume stays locked; then access, marks and grant change in one call.
func (a *Array) finishFence(ctx context.Context, v api.Volume, r record) (api.Volume, record, error) {
	if r.fence == nil {
		return v, r, nil
	}
	f := *r.fence
	if _, err := a.groupsOf(ctx, v); err != nil {
		return v, r, err
	}
	if err := a.part(ctx, f.node, v.VolumeID); err != nil {
		return v, r, err
	}
	if v.Access != api.AccessLocked {
		locked, err := a.change(ctx, v, r, api.ModifyVolumeRequest{VolumeID: v.VolumeID, Access: api.AccessLocked})
		if err != nil {
			return v, r, err
		}
		v = locked
	}
	if err := a.awaitNoSession(ctx, v.VolumeID, f.node.IQN); err != nil {
		return v, r, fmt.Errorf("volume %d is locked and initiator %s still has a session on it: %w: %w", v.VolumeID, f.node.IQN, san.ErrUnavailable, err)
	}
	r = r.bar(f.node).without(f.node)
	v, err := a.change(ctx, v, r, api.ModifyVolumeRequest{VolumeID: v.VolumeID, Access: f.former})
	return v, r, err
}

// sessions are the initiator's sessions on the volume now. Callers that ask at
// once share one call of the array.
func (a *Array) sessions(ctx context.Context, volume int64, iqn string) ([]api.Session, error) {
	all, err := a.listing.do(ctx, none{}, none{})
	var found []api.Session
	for _, s := range all {
		if s.VolumeID == volume && strings.EqualFold(s.InitiatorName, iqn) {
			found = append(found, s)
		}
	}
	return found, err
}

func (a *Array) listSessions(ctx context.Context, _ none, askers []none) []answer[[]api.Session] {
	all, err := a.client.ListISCSISessions(ctx)
	return same(len(askers), all, err)
}

// awaitNoSession asks again and again, since the array tells nothing unasked.
func (a *Array) awaitNoSession(ctx context.Context, volume int64, iqn string) error {
	for pause := firstPoll; ; pause = min(2*pause, maxPoll) {
		alive, err := a.sessions(ctx, volume, iqn)
		if err != nil {
			return err
		}
		if len(alive) == 0 {
			return nil
		}
		timer := a.clock.NewTimer(pause)
		select {
		case <-timer.C():
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}
