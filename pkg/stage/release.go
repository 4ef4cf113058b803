package stage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/san-csi/san-csi/pkg/initiator"
	"k8s.io/klog/v2"
)

// Unstage takes the volume from the staging path and from the node: umount,
// flush, detach, logout, and last the record. Without a record it goes by what
// is mounted at the staging path. It never succeeds over a live mapping: what
// is still in use is ErrBusy.
func (s *Stager) Unstage(ctx context.Context, volumeID, stagingPath string) error {
	if err := needed("volume id", volumeID, "staging path", stagingPath); err != nil {
		return err
	}
	return s.inTurn(ctx, s.unstages, volumeID, func() error {
		return failed("unstage", volumeID, s.unstage(ctx, volumeID, stagingPath))
	})
}

func (s *Stager) unstage(ctx context.Context, volumeID, stagingPath string) error {
	r, err := s.records.load(volumeID)
	if err == nil && r == nil {
		r, err = s.reconstruct(ctx, volumeID, stagingPath)
	}
	if err != nil {
		return err
	}
	if r.Epoch > 0 && r.Epoch <= s.seen.fencedUpTo(volumeID) {
		return s.evict(ctx, r) // what a umount writes back would be another's data
	}
	return s.release(ctx, r, stagingPath)
}

// reconstruct gives the record of a volume that has none, by the device that is
// mounted at its staging path; one without a target where nothing is there, or
// where the device is gone and only its mount is left.
func (s *Stager) reconstruct(ctx context.Context, volumeID, stagingPath string) (*record, error) {
	r := &record{VolumeID: volumeID, StagingPath: stagingPath}
	m, err := s.mountAt(ctx, seat(stagingPath, false))
	if err == nil && m == nil {
		r.Block = true
		m, err = s.mountAt(ctx, seat(stagingPath, true))
	}
	if err != nil || m == nil || m.Device == "" {
		return r, err
	}
	owner, err := s.iscsi.Owner(ctx, m.Device)
	if errors.Is(err, initiator.ErrNotFound) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	klog.FromContext(ctx).Info("No stage record: going by the mount", "volume", volumeID, "path", stagingPath, "device", m.Device, "target", owner.IQN)
	r.Target = Target{IQN: owner.IQN, NAA: owner.NAA}
	return r, nil
}

// release ends a stage in good order: what an mkfs that was cut off left is
// wiped while the device is still at hand, then everything is taken down.
func (s *Stager) release(ctx context.Context, r *record, stagingPath string) error {
	if err := s.unused(ctx, r, stagingPath); err != nil {
		return err
	}
	if r.Formatting {
		if err := s.wipe(ctx, r); err != nil {
			return err
		}
	}
	return s.dismantle(ctx, r, stagingPath, gently)
}

// wipe makes a half-formatted device blank again, so that another node may
// format it: the format gate would refuse what it finds there. The record
// proves that nothing but that mkfs was ever on it, and goes on to say so: what
// is cut off from here is wiped again, and a full disk does not keep it here.
func (s *Stager) wipe(ctx context.Context, r *record) error {
	d, err := s.iscsi.Find(ctx, r.target())
	if errors.Is(err, initiator.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.disks.Wipe(ctx, d.Path); err != nil {
		if failure := failed("wipe", r.VolumeID, err); errors.Is(failure, ErrBusy) || ctx.Err() != nil {
			return failure
		}
		klog.FromContext(ctx).Error(err, "Half-formatted device could not be wiped: the next node will refuse it", "volume", r.VolumeID, "device", d.Path)
	}
	return nil
}

// unused refuses while the volume is mounted anywhere but where it was staged.
func (s *Stager) unused(ctx context.Context, r *record, stagingPath string) error {
	if r.Target.IQN == "" {
		return nil
	}
	numbers, err := s.numbers(ctx, r)
	if err != nil {
		return err
	}
	all, err := s.mounts.List(ctx)
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.Device == "" || !slices.Contains(numbers, m.Device) {
			continue
		}
		if !samePath(m.Path, seat(stagingPath, r.Block)) && !samePath(m.Path, seat(r.StagingPath, r.Block)) {
			return fmt.Errorf("device %s is still mounted at %s: %w", m.Device, m.Path, ErrBusy)
		}
	}
	return nil
}

// numbers are the devices of the target, major:minor.
func (s *Stager) numbers(ctx context.Context, r *record) ([]string, error) {
	live, err := s.iscsi.Mapping(ctx, r.Target.IQN)
	if err != nil {
		return nil, err
	}
	var numbers []string
	for _, d := range live.Devices {
		numbers = append(numbers, d.Number)
	}
	return numbers, nil
}

// How a mount is taken away, see Mounts.Unmount.
const (
	gently = false
	atOnce = true
)

// dismantle unmounts, detaches, looks whether all of it is gone, and only then
// drops the record.
func (s *Stager) dismantle(ctx context.Context, r *record, stagingPath string, force bool) error {
	if r.Target.IQN != "" {
		if err := s.iscsi.Unqueue(ctx, r.Target.NAA); err != nil {
			return err
		}
	}
	for _, path := range slices.Compact([]string{stagingPath, r.StagingPath}) {
		if err := s.vacate(ctx, seat(path, r.Block), r.Block, force); err != nil {
			return err
		}
	}
	if r.Target.IQN != "" {
		if err := s.unused(ctx, r, stagingPath); err != nil {
			return err
		}
		if err := s.iscsi.Detach(ctx, r.Target.IQN, r.Target.NAA); err != nil {
			return err
		}
		if err := s.vanished(ctx, r); err != nil {
			return err
		}
	}
	return s.records.remove(r.VolumeID)
}

// vacate unmounts the seat; the file of a block volume's is ours, the staging
// directory is the caller's.
func (s *Stager) vacate(ctx context.Context, path string, block, force bool) error {
	if block {
		return s.retract(ctx, path, force)
	}
	return s.mounts.Unmount(ctx, path, force)
}

// vanished is the last look before the record goes.
func (s *Stager) vanished(ctx context.Context, r *record) error {
	live, err := s.iscsi.Mapping(ctx, r.Target.IQN)
	if err != nil {
		return err
	}
	if live.Live() {
		return fmt.Errorf("%s still has %d sessions and %d devices: %w", r.Target.IQN, live.Sessions, len(live.Devices), ErrBusy)
	}
	path := seat(r.StagingPath, r.Block)
	m, err := s.mountAt(ctx, path)
	if err != nil {
		return err
	}
	if m != nil {
		return fmt.Errorf("%s is still a mount of %s: %w", path, m.Device, ErrBusy)
	}
	return nil
}
