package element

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/klog/v2"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// Create returns the volume of that name. The array allows duplicate names, and
// a CreateVolume may land after its caller died; so what it makes is pending
// until a second call claims it, and only a claimed volume is ever handed out.
// What another call left pending is removed, not claimed: somebody else's removal
// of it may be on its way.
func (a *Array) Create(ctx context.Context, req san.CreateRequest) (*san.Volume, error) {
	v, r, err := a.create(ctx, req)
	if err != nil {
		return nil, fail("create volume", req.Name, err)
	}
	return a.describe(ctx, v, r)
}

func (a *Array) create(ctx context.Context, req san.CreateRequest) (v api.Volume, r record, err error) {
	size, err := a.checkRequest(ctx, req)
	if err != nil {
		return v, r, err
	}
	shape, err := a.resolveQoS(ctx, req.QoS)
	if err != nil {
		return v, r, err
	}
	account, err := a.account(ctx, req.Account)
	if err != nil {
		return v, r, err
	}
	key := nameKey{account, mapName(req.Name)}
	unlock, err := a.names.lock(ctx, key)
	if err != nil {
		return v, r, err
	}
	defer unlock()
	found, err := a.lookUp(ctx, key, req.Name)
	if err != nil {
		return v, r, err
	}
	// Nothing is handed out before the others of its name are gone: the claim of
	// one of them, by a process that died, may yet land, and then none could tell
	// which one was.
	if err := a.discard(ctx, found.left); err != nil {
		return v, r, err
	}
	if found.claimed != nil {
		v, r = found.claimed.volume, found.claimed.record
		if err := a.discard(ctx, found.pending); err != nil {
			return v, r, err
		}
		return v, r, checkShape(v, r, req, shape)
	}
	if !req.Source.IsZero() {
		return a.createClone(ctx, key, found.pending, shape, req)
	}
	if err := a.discard(ctx, found.pending); err != nil {
		return v, r, err
	}
	return a.make(ctx, key, size, shape, req)
}

// Find returns the volume that was handed out under a name.
func (a *Array) Find(ctx context.Context, name, account string) (*san.Volume, error) {
	id, err := a.account(ctx, account)
	if err != nil {
		return nil, fail("find volume", name, err)
	}
	found, err := a.lookUp(ctx, nameKey{id, mapName(name)}, name)
	if errors.Is(err, san.ErrExists) || err == nil && found.claimed == nil {
		return nil, fmt.Errorf("find volume %q: none of cluster %q has that name: %w", name, a.config.Cluster, san.ErrNotFound)
	}
	if err != nil {
		return nil, fail("find volume", name, err)
	}
	return a.describe(ctx, found.claimed.volume, found.claimed.record)
}

// make is CreateVolume and the claim.
func (a *Array) make(ctx context.Context, key nameKey, size int64, shape shape, req san.CreateRequest) (api.Volume, record, error) {
	r := a.ownedBy(record{name: req.Name, note: req.Note, keep: req.Keep, blank: true}, req.Owner, key.name)
	r.state = pendingPrefix + a.config.Incarnation
	attributes, err := r.attributes(key.name)
	if err != nil {
		return api.Volume{}, r, err
	}
	request := api.CreateVolumeRequest{Name: key.name, AccountID: key.account, TotalSize: size,
		Enable512e: a.config.Enable512e, Attributes: attributes}
	request.QoS, request.QoSPolicyID, request.AssociateWithQoSPolicy = shape.wire()
	v, err := a.client.CreateVolume(ctx, request)
	if err != nil {
		a.forgetWhatIsGone(err, req)
		return v, r, err
	}
	r.state = stateClaimed
	v, err = a.write(ctx, v, r)
	return v, r, err
}

// forgetWhatIsGone drops what is remembered of an account or policy that was
// removed on the array.
func (a *Array) forgetWhatIsGone(err error, req san.CreateRequest) {
	if api.IsName(err, api.XAccountIDDoesNotExist) {
		a.accounts.drop(req.Account)
		a.accounts.drop(a.config.Account)
	}
	if api.IsName(err, api.XQoSPolicyDoesNotExist) {
		a.policies.drop()
	}
}

// candidate is a volume of the name looked for.
type candidate struct {
	volume api.Volume
	record record
}

type lookUp struct {
	claimed *candidate // the one with the lowest id
	pending []candidate
	left    []candidate // that discards which were cut off left of it, claimed or deleted
}

// lookUp finds the volumes of a name in one call, also clones that have not got
// their content yet. ErrExists where one of them
// is not of this owner.
func (a *Array) lookUp(ctx context.Context, key nameKey, name string) (lookUp, error) {
	volumes, err := a.client.ListVolumes(ctx, api.ListVolumesRequest{
		Accounts: []int64{key.account}, VolumeName: key.name})
	if err != nil {
		return lookUp{}, err
	}
	var found lookUp
	for _, v := range volumes {
		if v.Name != key.name || v.AccountID != key.account {
			continue
		}
		r, err := readRecord(v)
		ours := err == nil && r.owner.Cluster == a.config.Cluster && r.name == name
		switch {
		case v.Status == api.StatusDeleted && ours && untouched(v, r):
			found.left = append(found.left, candidate{v, r})
			continue
		case v.Status == api.StatusDeleted:
			continue
		case err != nil:
			return lookUp{}, err
		}
		if !ours {
			return lookUp{}, fmt.Errorf("volume %d has that name in account %d and belongs to cluster %q (this is %q), name %q: %w",
				v.VolumeID, key.account, r.owner.Cluster, a.config.Cluster, r.name, san.ErrExists)
		}
		switch {
		case a.doomed.has(v.VolumeID, a.clock.Now(), lateness):
			found.left = append(found.left, candidate{v, r})
		case r.pending():
			found.pending = append(found.pending, candidate{v, r})
		case found.claimed == nil:
			found.claimed = &candidate{v, r}
		case untouched(v, r):
			found.left = append(found.left, candidate{v, r})
		}
	}
	return found, nil
}

// neverHandedOut tells whether nobody was given the volume. The claim of one that
// this process began to remove may land late.
func (a *Array) neverHandedOut(v api.Volume, r record) bool {
	return r.pending() || a.doomed.has(v.VolumeID, a.clock.Now(), lateness)
}

// untouched tells that a volume cannot hold anything of a caller's: no node ever
// had it, and nobody wants it kept.
func untouched(v api.Volume, r record) bool {
	return r.epoch == 0 && len(v.VolumeAccessGroups) == 0 && !r.keep
}

// discard purges volumes that were never handed out. Its caller holds their
// name's lock.
func (a *Array) discard(ctx context.Context, left []candidate) error {
	var failures []error
	for _, c := range left {
		a.doomed.add(c.volume.VolumeID, a.clock.Now(), lateness)
		if err := a.remove(ctx, c.volume); err != nil {
			failures = append(failures, fmt.Errorf("purge volume %d of that name, never handed out: %w", c.volume.VolumeID, err))
			continue
		}
		klog.FromContext(ctx).Info("Volume never handed out is purged", "volumeID", c.volume.VolumeID, "name", c.volume.Name)
	}
	return errors.Join(failures...)
}

// ownedBy fills in the owner, its texts cut as far as the attributes need it.
func (a *Array) ownedBy(r record, o san.Owner, elementName string) record {
	r.owner.Cluster = a.config.Cluster
	for _, limit := range []int{128, 64, 32} {
		r.owner.PVC, r.owner.PV, r.owner.StorageClass = shorten(o.PVC, limit), shorten(o.PV, limit), shorten(o.StorageClass, limit)
		if r.fits(elementName, a.access) {
			return r
		}
	}
	// A name and a note of the longest leave no room; the name tells the PV.
	r.owner = san.Owner{Cluster: a.config.Cluster}
	return r
}
