package element

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"k8s.io/klog/v2"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// sweepPatience is how long a sweep waits for the session of one unfinished
// fence, so that it does not keep the rest from being swept.
const sweepPatience = 5 * time.Second

// Sweep removes what calls that were cut off left behind. It lists groups and
// volumes once; whatever it then changes it reads again under that object's
// lock, so that it never undoes a call in flight. One failure does not keep the
// rest from being swept.
func (a *Array) Sweep(ctx context.Context) error {
	id, err := a.Identity(ctx)
	if err != nil {
		return err
	}
	var groups []group
	err = a.eachGroup(ctx, func(g group) bool {
		if g.cluster == a.config.Cluster {
			groups = append(groups, g)
		}
		return true
	})
	if err != nil {
		return fail("sweep array", a.client.Endpoint(), err)
	}
	var failures []error
	err = a.pages(ctx, api.ListVolumesRequest{StartVolumeID: 1}, func(v api.Volume) (bool, error) {
		if err := a.sweepVolume(ctx, id.UniqueID, v, groups); err != nil {
			failures = append(failures, fail("sweep volume", v.VolumeID, err))
		}
		return ctx.Err() == nil, nil
	})
	if err != nil {
		failures = append(failures, fail("sweep array", a.client.Endpoint(), err))
	}
	for _, k := range []keeper{a.snapshots(), a.groupSnapshots()} {
		if err := a.sweepKept(ctx, k); err != nil {
			failures = append(failures, fail("sweep "+k.what+"s of array", a.client.Endpoint(), err))
		}
	}
	for _, g := range groups {
		if err := a.sweepGroup(ctx, g); err != nil {
			failures = append(failures, fail("sweep access group", g.ID, err))
		}
	}
	return errors.Join(append(failures, ctx.Err())...)
}

func (a *Array) sweepVolume(ctx context.Context, array string, v api.Volume, groups []group) error {
	r, err := readRecord(v)
	if err != nil || r.owner.Cluster != a.config.Cluster {
		return err
	}
	switch {
	case a.neverHandedOut(v, r) && v.Status == api.StatusDeleted:
		return a.sweepDeleted(ctx, v)
	case r.pending() && r.source != "" && v.Status != api.StatusActive:
		a.follow(v)
		return nil
	case a.neverHandedOut(v, r):
		return a.sweepPending(ctx, nameKey{v.AccountID, v.Name})
	case v.Status != api.StatusActive:
		return nil // handed out and deleted since: its deletion's retry purges it
	}
	stray := slices.ContainsFunc(groups, func(g group) bool {
		n, ok := g.node()
		return ok && slices.Contains(g.Volumes, v.VolumeID) && !slices.Contains(r.nodes(), n)
	})
	_, late := a.latest.overtaken(v, r, a.clock.Now())
	if r.fence == nil && !stray && !late && len(a.unseated(v, r, groups)) == 0 {
		return nil
	}
	return a.sweepAccess(ctx, san.Handle{Array: array, Volume: v.VolumeID, UUID: uuidPart(v)})
}

// sweepPending purges the pending volumes of a name, unless a Create of that
// name is in flight: then they may be its own.
func (a *Array) sweepPending(ctx context.Context, key nameKey) error {
	unlock, free := a.names.try(key)
	if !free {
		return nil
	}
	defer unlock()
	return a.purgePending(ctx, key)
}

// sweepDeleted purges a volume that was never handed out and that a discard,
// cut off, left in the recycle bin, where it would hold its floor.
func (a *Array) sweepDeleted(ctx context.Context, v api.Volume) error {
	unlock, free := a.names.try(nameKey{v.AccountID, v.Name})
	if !free {
		return nil
	}
	defer unlock()
	return a.remove(ctx, v)
}

// sweepAccess undoes what landed late, finishes a fence, drops members that nobody
// was granted and gives back places that were lost.
func (a *Array) sweepAccess(ctx context.Context, h san.Handle) error {
	unlock, err := a.volumes.lock(ctx, h.Volume)
	if err != nil {
		return err
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(ctx, sweepPatience)
	defer cancel()
	v, r, err := a.reload(ctx, h)
	if errors.Is(err, san.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	klog.FromContext(ctx).Info("Access to a volume is mended", "volumeID", v.VolumeID, "fence", r.fence != nil)
	if v, r, err = a.finishFence(ctx, v, r); err != nil {
		return err
	}
	if v, r, err = a.dropStrays(ctx, v, r); err != nil {
		return err
	}
	return a.reseat(ctx, v, r)
}

// sweepGroup deletes a group that was left empty. A Grant that was about to use
// it makes another.
func (a *Array) sweepGroup(ctx context.Context, g group) error {
	if len(g.Volumes) > 0 || len(g.Initiators) > 1 {
		return nil
	}
	for _, iqn := range g.Initiators {
		unlock, err := a.initiators.lock(ctx, strings.ToLower(iqn))
		if err != nil {
			return err
		}
		defer unlock()
	}
	return a.deleteEmpty(ctx, g)
}
