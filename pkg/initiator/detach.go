package initiator

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"k8s.io/klog/v2"
)

// Detach flushes and deletes the target's device, logs out and deletes the
// target's node record. It may be repeated and goes on from whatever is left:
// device, session and record may each be gone. A device of another identity,
// or one that something of the node's still holds, stops it before any change.
func (i *Initiator) Detach(ctx context.Context, iqn, naa string) error {
	if err := (Target{IQN: iqn, NAA: naa}).Validate(); err != nil {
		return err
	}
	listening, stop := context.WithCancel(ctx)
	defer stop()
	events := i.listen(listening)
	if err := i.detach(ctx, events, iqn, naa); err != nil {
		return fmt.Errorf("detach %s: %w", iqn, err)
	}
	klog.FromContext(ctx).Info("Detached", "target", iqn, "naa", naa)
	return nil
}

func (i *Initiator) detach(ctx context.Context, events <-chan struct{}, iqn, naa string) error {
	all, dirs, err := i.live(iqn)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := i.releasable(dir, naa); err != nil && exists(dir) {
			return err
		}
	}
	// Twice: until the paths are gone multipathd may make the map again.
	if err := i.dissolveMap(ctx, events, naa); err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := i.drop(ctx, events, dir); err != nil {
			return err
		}
	}
	if err := i.dissolveMap(ctx, events, naa); err != nil {
		return err
	}
	if err := i.end(ctx, events, iqn, all); err != nil {
		return err
	}
	return i.admin.forget(ctx, iqn)
}

// releasable refuses a device of another identity, and one that something of the
// node's besides the volume's own map still holds.
func (i *Initiator) releasable(lunDir, naa string) error {
	if err := verify(lunDir, naa); err != nil {
		return err
	}
	d, err := i.blockDevice(lunDir)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return i.free(d.Name, func(holder string) bool { return i.uuid(holder) == mapPrefix+naaPrefix+naa })
}

func (i *Initiator) dissolveMap(ctx context.Context, events <-chan struct{}, naa string) error {
	m, found, err := i.mapOf(naa)
	if err != nil || !found {
		return err
	}
	return i.dissolve(ctx, events, m, naa)
}

// live are the target's sessions and the directories of their scsi devices.
func (i *Initiator) live(iqn string) (all []session, dirs []string, err error) {
	if all, err = i.sessions(iqn); err != nil {
		return nil, nil, err
	}
	dirs, err = lunsOf(all)
	return all, dirs, err
}

func lunsOf(all []session) ([]string, error) {
	var dirs []string
	for _, s := range all {
		luns, err := s.luns()
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, luns...)
	}
	return dirs, nil
}

// drop flushes one scsi device, deletes it and waits until it is gone. A map that
// has it as a path is asked to let it go.
func (i *Initiator) drop(ctx context.Context, events <-chan struct{}, lunDir string) error {
	if d, err := i.blockDevice(lunDir); err == nil {
		if err := i.leaveMap(ctx, events, d.Name); err != nil {
			return err
		}
		if err := i.flush(ctx, d); err != nil {
			return err
		}
	}
	if err := i.write(ctx, filepath.Join(lunDir, "delete"), "1"); err != nil && !gone(err) {
		return fmt.Errorf("delete %s: %w: %w", filepath.Base(lunDir), ErrUnavailable, err)
	}
	return i.await(ctx, events, "removal of "+filepath.Base(lunDir), func() (bool, error) {
		return !exists(lunDir), nil
	})
}

// leaveMap takes a disk out of the map that multipathd made of it. Anything else
// that holds it is ErrBusy.
func (i *Initiator) leaveMap(ctx context.Context, events <-chan struct{}, disk string) error {
	if err := i.free(disk, i.isMap); err != nil {
		return err
	}
	patient, stop := context.WithTimeout(ctx, i.stagger)
	defer stop()
	var said error
	err := i.await(patient, events, "multipathd to let go of "+disk, func() (bool, error) {
		held, err := i.holders(disk)
		if err != nil || len(held) == 0 {
			return err == nil, err
		}
		said = i.multipathd.tell(patient, "del path "+disk)
		held, err = i.holders(disk)
		return len(held) == 0, err
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("a multipath map keeps %s: %w: %w", disk, ErrBusy, errors.Join(said, err))
	}
	return err
}

// flush writes back what the page cache has. What the device will not take is
// lost with or without us (its users were told by their own fsync), and must
// not keep a mapping alive for ever; a device that hangs may still take it.
func (i *Initiator) flush(ctx context.Context, d Device) error {
	if !i.nodeOf(d) {
		return nil
	}
	err := i.disk.Flush(ctx, d.Path)
	if ctx.Err() != nil {
		return fmt.Errorf("flush %s: %w: %w", d.Path, ErrUnavailable, ctx.Err())
	}
	if err != nil {
		klog.FromContext(ctx).Error(err, "Device did not take its last writes", "device", d.Path)
	}
	return nil
}
