package element

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/klog/v2"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// keeper is one of the two ways in which the array keeps content: snapshots,
// and groups of them.
type keeper struct {
	what   string
	locks  *keyLocks[string] // by the caller's name
	doomed *noted            // what this process began to remove, never handed out
	list   func(context.Context) ([]kept, error)
	create func(ctx context.Context, volumes []int64, name string, attributes api.Attributes) (kept, error)
	rename func(ctx context.Context, id int64, name string) error
	remove func(ctx context.Context, id int64) error
}

// keep returns what is kept under a name, or keeps the volumes' content under
// it. The array allows duplicate names, and a call may land after its caller
// died; so what is made bears a pending name until a second call gives it its
// own, and only then is it ever handed out. What another call left pending is
// removed, not taken: somebody else's removal of it may be on its way. The volumes
// are locked meanwhile, in the order of their ids, so that none is deleted.
func (a *Array) keep(ctx context.Context, k keeper, name string, sources []san.Handle) (kept, error) {
	if name == "" || len(name) > maxNameBytes {
		return kept{}, fmt.Errorf("name of %d bytes: must be 1 to %d: %w", len(name), maxNameBytes, san.ErrInvalid)
	}
	unlock, err := k.locks.lock(ctx, name)
	if err != nil {
		return kept{}, err
	}
	defer unlock()
	sources = slices.SortedFunc(slices.Values(sources), func(a, b san.Handle) int { return cmp.Compare(a.Volume, b.Volume) })
	var volumes []int64
	for _, h := range sources {
		unlock, err := a.volumes.lock(ctx, h.Volume)
		if err != nil {
			return kept{}, err
		}
		defer unlock()
		volumes = append(volumes, h.Volume)
	}
	defer func() { a.snapshotted.note(volumes, a.clock.Now()) }()
	claimed, pending, err := a.keptAs(ctx, k, name)
	if err != nil {
		return kept{}, err
	}
	if err := a.discardKept(ctx, k, pending); err != nil {
		return kept{}, err
	}
	if claimed != nil {
		if !slices.Equal(claimed.volumes, volumes) {
			return kept{}, fmt.Errorf("%s %d has that name and is of volumes %v, asked for are %v: %w", k.what, claimed.id, claimed.volumes, volumes, san.ErrExists)
		}
		return *claimed, nil
	}
	for _, h := range sources {
		if _, _, err := a.load(ctx, h); err != nil {
			return kept{}, err
		}
	}
	return a.makeKept(ctx, k, name, volumes)
}

func (a *Array) makeKept(ctx context.Context, k keeper, name string, volumes []int64) (kept, error) {
	m := mark{cluster: a.config.Cluster, name: name}
	made, err := k.create(ctx, volumes, pendingName+shortHash(name), m.attributes())
	if err != nil {
		return made, err
	}
	return made, k.rename(ctx, made.id, mapName(name))
}

// keptAs is what this cluster keeps under a name: the one that was handed out,
// with the lowest id, and those that never were. A later one that bears the name
// is one of these: its renaming was on its way when another was taken.
func (a *Array) keptAs(ctx context.Context, k keeper, name string) (claimed *kept, pending []kept, err error) {
	all, err := k.list(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, one := range all {
		switch {
		case one.mark.cluster != a.config.Cluster || one.mark.name != name:
		case claimed == nil && !a.unkept(k, one):
			claimed = &one
		default:
			pending = append(pending, one)
		}
	}
	return claimed, pending, nil
}

// discardKept removes what was never handed out. Its caller holds the name's
// lock. Nothing of that name is handed out before.
func (a *Array) discardKept(ctx context.Context, k keeper, pending []kept) error {
	var failures []error
	for _, one := range pending {
		k.doomed.add(one.id, a.clock.Now(), lateness)
		if err := k.remove(ctx, one.id); err != nil && !gone(err) {
			failures = append(failures, fmt.Errorf("remove %s %d of that name, never handed out: %w", k.what, one.id, err))
			continue
		}
		klog.FromContext(ctx).Info("What was never handed out is removed", "what", k.what, "id", one.id, "name", one.mark.name, "volumes", one.volumes)
	}
	return errors.Join(failures...)
}

// sweepKept removes what this cluster was never handed, unless a call for its
// name is in flight: then it may be its own.
func (a *Array) sweepKept(ctx context.Context, k keeper) error {
	all, err := k.list(ctx)
	if err != nil {
		return err
	}
	swept := map[string]bool{}
	for _, one := range all {
		if one.mark.cluster != a.config.Cluster || !a.unkept(k, one) || swept[one.mark.name] {
			continue
		}
		swept[one.mark.name] = true
		if err := a.sweepName(ctx, k, one.mark.name); err != nil {
			return err
		}
	}
	return nil
}

// unkept tells whether nobody was handed it. The renaming of one that this process
// began to remove may land late.
func (a *Array) unkept(k keeper, one kept) bool {
	return one.mark.pending || k.doomed.has(one.id, a.clock.Now(), lateness)
}

func (a *Array) sweepName(ctx context.Context, k keeper, name string) error {
	unlock, free := k.locks.try(name)
	if !free {
		return nil
	}
	defer unlock()
	_, pending, err := a.keptAs(ctx, k, name)
	if err != nil {
		return err
	}
	return a.discardKept(ctx, k, pending)
}
