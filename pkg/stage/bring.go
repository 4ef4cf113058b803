package stage

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/san-csi/san-csi/pkg/filesystem"
	"github.com/san-csi/san-csi/pkg/initiator"
	"k8s.io/klog/v2"
)

// Stage brings the volume to the staging path: record, attach, identity gate,
// format gate, check, mount. A block volume is attached and its device node
// bound beneath the staging path. Staged already with the same attributes is
// success, with others ErrConflict. An epoch older than the staged one, or one
// that the controller has fenced, is ErrInvalid; for a newer one the old mapping
// is taken down first, with what it had not yet written.
func (s *Stager) Stage(ctx context.Context, req StageRequest) error {
	if err := req.validate(); err != nil {
		return err
	}
	return s.inTurn(ctx, s.stages, req.VolumeID, func() error { return s.stage(ctx, req) })
}

func (s *Stager) stage(ctx context.Context, req StageRequest) error {
	r, err := s.admit(ctx, req)
	if err != nil {
		return failed("stage", req.VolumeID, err)
	}
	err = failed("stage", req.VolumeID, s.bring(ctx, req, r))
	if err == nil || undecided(err) {
		return err
	}
	// The caller need not come back after such an answer, not even to unstage.
	return errors.Join(err, failed("undo the stage of", req.VolumeID, s.undo(ctx, r)))
}

// admit compares the request with what the node has of the volume, clears what
// is of another grant, and gives the record of this stage, saved.
func (s *Stager) admit(ctx context.Context, req StageRequest) (*record, error) {
	if over := s.seen.fencedUpTo(req.VolumeID); req.Epoch <= over {
		return nil, fmt.Errorf("epoch %d is over: grants up to %d were fenced: %w", req.Epoch, over, ErrInvalid)
	}
	r, err := s.records.load(req.VolumeID)
	if err != nil {
		return nil, err
	}
	if r != nil && req.Epoch < r.Epoch {
		return nil, fmt.Errorf("epoch %d is over: this node holds epoch %d: %w", req.Epoch, r.Epoch, ErrInvalid)
	}
	if r != nil && req.Epoch == r.Epoch {
		if what := r.differs(req); what != "" {
			return nil, fmt.Errorf("staged with %s: %w", what, ErrConflict)
		}
		size := max(r.Target.SizeBytes, req.Target.SizeBytes) // it may have grown since the grant
		r.Target = req.Target
		r.Target.SizeBytes = size
		if r.Boot != "" && r.Boot != s.boot {
			r.Published = map[string]publication{} // they went with the host
		}
		r.Boot = s.boot
		return r, s.records.save(r)
	}
	if err := s.clear(ctx, req, r); err != nil {
		return nil, fmt.Errorf("take down what is left of an older grant: %w", err)
	}
	r = newRecord(req)
	r.Boot = s.boot
	return r, s.records.save(r)
}

// clear takes down what the node has of the volume from an older grant, or from
// one that nothing is known of; the latter only where nobody uses it.
func (s *Stager) clear(ctx context.Context, req StageRequest, old *record) error {
	if old != nil {
		return s.evict(ctx, old)
	}
	old = newRecord(req)
	live, err := s.iscsi.Mapping(ctx, old.Target.IQN)
	if err != nil || !live.Live() {
		return err
	}
	if err := s.unused(ctx, old, old.StagingPath); err != nil {
		return err
	}
	klog.FromContext(ctx).Info("Mapping that no record tells of is taken down", "volume", old.VolumeID, "target", old.Target.IQN)
	if err := s.iscsi.Sever(ctx, old.Target.IQN); err != nil {
		return err
	}
	return s.dismantle(ctx, old, old.StagingPath, gently)
}

// bring does the work of a stage whose record is saved.
func (s *Stager) bring(ctx context.Context, req StageRequest, r *record) error {
	d, err := s.iscsi.Attach(ctx, r.target())
	if err != nil {
		return err
	}
	if r.ReadOnly {
		if err := s.disks.Protect(ctx, d.Path); err != nil {
			return err
		}
	}
	mounted, err := s.settled(ctx, r, d)
	if err != nil {
		return err
	}
	if r.Block {
		if mounted {
			return nil
		}
		return s.mounts.BindDevice(ctx, d.Path, seat(r.StagingPath, r.Block), r.ReadOnly)
	}
	if !mounted {
		if err := s.mount(ctx, req, r, d); err != nil {
			return err
		}
	}
	return s.fill(ctx, req, r, d)
}

func (s *Stager) mount(ctx context.Context, req StageRequest, r *record, d initiator.Device) error {
	if err := s.prepare(ctx, req, r, d); err != nil {
		return err
	}
	return s.mounts.Mount(ctx, filesystem.MountRequest{
		Device:   d.Path,
		Path:     r.StagingPath,
		FSType:   r.FSType,
		Flags:    flagsOf(req, r),
		ReadOnly: r.ReadOnly,
	})
}

// nouuid mounts an XFS beside another one with its UUID, xfs(5).
const nouuid = "nouuid"

func flagsOf(req StageRequest, r *record) []string {
	if !req.Clone || r.FSType != filesystem.XFS || slices.Contains(r.MountFlags, nouuid) {
		return r.MountFlags
	}
	return append(slices.Clone(r.MountFlags), nouuid)
}

// fill grows the filesystem of a clone to its device, which may be larger than
// what it was made of.
func (s *Stager) fill(ctx context.Context, req StageRequest, r *record, d initiator.Device) error {
	if !req.Clone || r.readOnly() {
		return nil
	}
	return s.mounts.Grow(ctx, r.FSType, d.Path, r.StagingPath)
}

// seat is where a stage mounts: at the staging path, or for a block volume at a
// file beneath it, which shows the device's node. So the mount table tells what
// is staged there also where the record was lost.
func seat(stagingPath string, block bool) string {
	if block {
		return filepath.Join(stagingPath, "device")
	}
	return stagingPath
}

// settled reports whether the seat shows this very device as it should be; a
// mount of anything else there is stale and is taken away.
func (s *Stager) settled(ctx context.Context, r *record, d initiator.Device) (bool, error) {
	path := seat(r.StagingPath, r.Block)
	m, err := s.mountAt(ctx, path)
	if err != nil || m == nil {
		return false, err
	}
	// A writable mount that turned read-only has seen errors: mount it afresh.
	if shows(m, r, d) && m.ReadOnly == r.readOnly() {
		return true, nil
	}
	if err := s.unused(ctx, r, r.StagingPath); err != nil {
		return false, err
	}
	klog.FromContext(ctx).Info("Stale mount is taken away", "path", path, "device", m.Device, "expected", d.Number)
	return false, s.mounts.Unmount(ctx, path, gently)
}

// prepare passes the device through the format gate, formats it if need be, and
// checks it. That an mkfs begins is on disk before it begins.
func (s *Stager) prepare(ctx context.Context, req StageRequest, r *record, d initiator.Device) error {
	content, err := s.disks.Inspect(ctx, d.Path)
	if err != nil {
		return err
	}
	format, err := content.Admit(filesystem.Claim{
		FSType:      r.FSType,
		Blank:       req.Blank,
		Interrupted: r.Formatting,
		ReadOnly:    r.ReadOnly,
	})
	if err != nil {
		return err
	}
	if format {
		return s.format(ctx, req, r, d)
	}
	if r.ReadOnly {
		return nil
	}
	return s.disks.Check(ctx, d.Path, r.FSType, filesystem.Fsck(req.Fsck))
}

func (s *Stager) format(ctx context.Context, req StageRequest, r *record, d initiator.Device) error {
	r.Formatting = true
	if err := s.records.save(r); err != nil {
		return err
	}
	if err := s.disks.Format(ctx, d.Path, r.FSType, req.MkfsOptions); err != nil {
		return err
	}
	klog.FromContext(ctx).Info("Formatted", "volume", r.VolumeID, "device", d.Path, "naa", r.Target.NAA, "filesystem", r.FSType)
	r.Formatting = false
	return s.records.save(r)
}

// undo takes down what a refused stage set up, unless pods use it.
func (s *Stager) undo(ctx context.Context, r *record) error {
	all, err := s.mounts.List(ctx)
	if err != nil {
		return err
	}
	if r.forget(all, ""); len(r.Published) > 0 {
		return nil
	}
	return s.release(ctx, r, r.StagingPath)
}
