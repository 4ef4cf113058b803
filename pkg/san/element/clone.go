package element

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/klog/v2"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

// The kinds of what a clone is made of, as its attributes keep them.
const (
	fromVolume   = "v"
	fromSnapshot = "s"
)

// origin is what a clone is made of: a volume, or one of its snapshots.
type origin struct {
	volume, snapshot int64
	size             int64  // bytes
	mark             string // fromVolume or fromSnapshot, its id, ':' and its UUID's part
}

// origin reads what a source names.
func (a *Array) origin(ctx context.Context, s san.Source) (origin, error) {
	if s.Snapshot == (san.SnapshotHandle{}) {
		v, _, err := a.load(ctx, s.Volume)
		return origin{volume: v.VolumeID, size: v.TotalSize, mark: fmt.Sprintf("%s%d:%s", fromVolume, v.VolumeID, uuidPart(v))}, err
	}
	if s.Volume != (san.Handle{}) {
		return origin{}, fmt.Errorf("source volume %s together with snapshot %s: one or the other: %w", s.Volume, s.Snapshot, san.ErrInvalid)
	}
	found, _, err := a.loadSnapshot(ctx, s.Snapshot)
	return origin{volume: found.VolumeID, snapshot: found.SnapshotID, size: found.TotalSize,
		mark: fmt.Sprintf("%s%d:%s", fromSnapshot, found.SnapshotID, shortUUID(found.SnapshotUUID))}, err
}

// fromSource tells whether a volume of that mark is made of that source.
func fromSource(mark string, s san.Source) bool {
	if s.IsZero() {
		return mark == ""
	}
	kind, id, uuid := fromVolume, s.Volume.Volume, s.Volume.UUID
	if s.Snapshot != (san.SnapshotHandle{}) {
		kind, id, uuid = fromSnapshot, s.Snapshot.Snapshot, s.Snapshot.UUID
	}
	return strings.HasPrefix(mark, kind+strconv.FormatInt(id, 10)+":"+uuid)
}

func describeSource(s san.Source) string {
	switch {
	case s.IsZero():
		return "nothing"
	case s.Snapshot != (san.SnapshotHandle{}):
		return "snapshot " + s.Snapshot.String()
	}
	return "volume " + s.Volume.String()
}

// createClone goes on with a clone of the same source and size that had not got its
// content when its call ended, or begins one.
func (a *Array) createClone(ctx context.Context, key nameKey, pending []candidate, s shape, req san.CreateRequest) (v api.Volume, r record, err error) {
	o, err := a.origin(ctx, req.Source)
	if err != nil {
		return v, r, fmt.Errorf("its source: %w", err)
	}
	size, err := a.roundSize(ctx, max(req.SizeBytes, o.size), req.LimitBytes)
	if err != nil {
		return v, r, fmt.Errorf("%s has %d bytes: %w", describeSource(req.Source), o.size, err)
	}
	for i, c := range pending {
		if c.record.source == o.mark && c.volume.TotalSize == size && (c.volume.Status != api.StatusActive || a.followed(c.volume)) {
			if err := a.discard(ctx, append(pending[:i:i], pending[i+1:]...)); err != nil {
				return v, r, err
			}
			if v, err = a.filled(ctx, c.volume); err != nil {
				a.follow(c.volume)
				return v, r, err
			}
			return a.claimClone(ctx, v, c.record, s, req)
		}
	}
	if err := a.discard(ctx, pending); err != nil {
		return v, r, err
	}
	r = a.ownedBy(record{name: req.Name, note: req.Note, keep: req.Keep, source: o.mark}, req.Owner, key.name)
	r.state = pendingPrefix + a.config.Incarnation
	if v, err = a.clone(ctx, key, o, size, r); err != nil {
		a.forgetWhatIsGone(err, req)
		return v, r, err
	}
	return a.claimClone(ctx, v, r, s, req)
}

// clone is CloneVolume, followed to its end. The source's access mode is not
// inherited: it may be under a fence just now.
func (a *Array) clone(ctx context.Context, key nameKey, o origin, size int64, r record) (api.Volume, error) {
	attributes, err := r.attributes(key.name)
	if err != nil {
		return api.Volume{}, err
	}
	begun, err := a.client.CloneVolume(ctx, api.CloneVolumeRequest{
		VolumeID: o.volume, SnapshotID: o.snapshot, Name: key.name, NewAccountID: key.account, NewSize: size,
		Access: api.AccessReadWrite, Attributes: attributes,
	})
	if err != nil {
		return api.Volume{}, err
	}
	err = a.wait(ctx, func() (bool, error) {
		done, err := a.client.GetAsyncResult(ctx, begun.AsyncHandle)
		if api.IsName(err, api.XAsyncHandleDoesNotExist) {
			return true, nil // somebody else has read it; the volume tells
		}
		return done, err
	})
	made := api.Volume{VolumeID: begun.VolumeID}
	if err == nil {
		made, err = a.filled(ctx, made)
	} else {
		err = fmt.Errorf("clone %d of volume %d: %w", begun.VolumeID, o.volume, err)
	}
	if err != nil {
		a.follow(made)
	}
	return made, err
}

// clonePatience is how long a clone that got its content between two calls waits for
// the second: for longer than provisioners pause.
const clonePatience = 15 * time.Minute

// follow takes note that a clone had not got its content when its call ended.
func (a *Array) follow(v api.Volume) { a.filling.add(v.VolumeID, a.clock.Now(), clonePatience) }

// followed tells whether a clone may be gone on with: nobody has removed it before
// it had its content, and until then this process saw it.
func (a *Array) followed(v api.Volume) bool {
	return a.filling.has(v.VolumeID, a.clock.Now(), clonePatience)
}

// filled waits for a clone to have its content.
func (a *Array) filled(ctx context.Context, v api.Volume) (api.Volume, error) {
	if v.Status == api.StatusActive {
		return v, nil
	}
	err := a.wait(ctx, func() (bool, error) {
		found, err := a.client.ListVolumes(ctx, api.ListVolumesRequest{VolumeIDs: []int64{v.VolumeID}})
		if err != nil {
			return false, err
		}
		for _, now := range found {
			if now.VolumeID == v.VolumeID && now.Status != api.StatusDeleted {
				v = now
				return now.Status == api.StatusActive, nil
			}
		}
		return false, fmt.Errorf("the array gave the clone up: %w", san.ErrUnavailable)
	})
	if err != nil {
		return v, fmt.Errorf("clone %d: %w", v.VolumeID, err)
	}
	return v, nil
}

// The pauses between two looks at a clone.
const (
	firstLook = 50 * time.Millisecond
	maxLook   = 5 * time.Second
)

// wait looks again and again until done. Where the caller's deadline comes
// first it is ErrUnavailable: the clone goes on, and a repeated call with it.
func (a *Array) wait(ctx context.Context, done func() (bool, error)) error {
	for pause := firstLook; ; pause = min(2*pause, maxLook) {
		if ok, err := done(); ok || err != nil {
			return err
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < pause {
			return fmt.Errorf("it has not got its content yet; the next call goes on with it: %w", san.ErrUnavailable)
		}
		timer := a.clock.NewTimer(pause)
		select {
		case <-timer.C():
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("it has not got its content yet: %w: %w", san.ErrUnavailable, context.Cause(ctx))
		}
	}
}

// claimClone makes a pending clone the volume of its name, in the call that
// takes the source's QoS from it.
func (a *Array) claimClone(ctx context.Context, v api.Volume, r record, s shape, req san.CreateRequest) (api.Volume, record, error) {
	r.state, r.note, r.keep = stateClaimed, req.Note, req.Keep
	r = a.ownedBy(r, req.Owner, v.Name)
	request := api.ModifyVolumeRequest{VolumeID: v.VolumeID}
	request.QoS, request.QoSPolicyID, request.AssociateWithQoSPolicy = s.wire()
	if s.policy == 0 && s.asked == (qos.Values{}) {
		defaults, err := a.defaultQoS(ctx)
		if err != nil {
			return v, r, err
		}
		request.QoS = &defaults
	}
	klog.FromContext(ctx).V(2).Info("Clone has its content", "volumeID", v.VolumeID, "source", r.source)
	v, err := a.change(ctx, v, r, request)
	return v, r, err
}
