package initiator

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// pass waits for the disk of a scsi device and passes it through the identity
// gate: the identity, the size, whether it can be written, and one read.
func (i *Initiator) pass(ctx context.Context, events <-chan struct{}, lunDir string, t Target) (Device, error) {
	var d Device
	err := i.await(ctx, events, "disk of "+filepath.Base(lunDir), func() (bool, error) {
		if !exists(lunDir) {
			return false, nil
		}
		if err := verify(lunDir, t.NAA); err != nil {
			return false, err
		}
		var err error
		d, err = i.blockDevice(lunDir)
		if errors.Is(err, ErrNotFound) {
			return false, nil
		}
		if err != nil || !i.nodeOf(d) {
			return false, err
		}
		err = i.judge(ctx, lunDir, d, t)
		return err == nil, stillComing(err)
	})
	if err != nil {
		return Device{}, err
	}
	return d, nil
}

// stillComing drops the error of a disk that cannot be opened yet: it is in
// sysfs, and has its node, a moment before the kernel lets anybody open it.
func stillComing(err error) error {
	if errors.Is(err, unix.ENXIO) {
		return nil
	}
	return err
}

// nodeOf reports whether the device's node is there and its own, not one that
// a former device of that name left.
func (i *Initiator) nodeOf(d Device) bool {
	number, err := i.disk.Number(d.Path)
	return err == nil && number == d.Number
}

func (i *Initiator) judge(ctx context.Context, lunDir string, d Device, t Target) error {
	if d.SizeBytes < t.SizeBytes {
		return fmt.Errorf("%s (naa %s) has %d bytes, expected at least %d: %w", d.Path, t.NAA, d.SizeBytes, t.SizeBytes, ErrIdentity)
	}
	protected, err := integer(filepath.Join(lunDir, "block", d.Name), "ro")
	if err != nil {
		return absent("write protection of "+d.Name, err)
	}
	if protected != 0 && !t.ReadOnly {
		return fmt.Errorf("%s (naa %s) is write-protected: %w", d.Path, t.NAA, ErrDenied)
	}
	if err := i.disk.Read(ctx, d.Path); err != nil {
		return fmt.Errorf("trial read of %s: %w: %w", d.Path, ErrUnavailable, err)
	}
	return nil
}

// Find is the target's device if it is attached, verified as Attach does but
// without a change to anything; ErrNotFound where there is none.
func (i *Initiator) Find(_ context.Context, t Target) (Device, error) {
	_, d, err := i.locate(t)
	return d, err
}

// locate gives the directory of the target's scsi device too.
func (i *Initiator) locate(t Target) (string, Device, error) {
	if err := t.Validate(); err != nil {
		return "", Device{}, err
	}
	all, err := i.sessions(t.IQN)
	if err != nil {
		return "", Device{}, err
	}
	for _, s := range all {
		dir := s.lunDir(t.LUN)
		if !exists(dir) {
			continue
		}
		if err := verify(dir, t.NAA); err != nil {
			return "", Device{}, fmt.Errorf("find %s: %w", t.IQN, err)
		}
		d, err := i.blockDevice(dir)
		return dir, d, err
	}
	return "", Device{}, fmt.Errorf("find %s lun %d: not attached: %w", t.IQN, t.LUN, ErrNotFound)
}

// Resize makes the kernel read the LUN's size until it is at least
// t.SizeBytes; ctx is the only limit.
func (i *Initiator) Resize(ctx context.Context, t Target) (Device, error) {
	listening, stop := context.WithCancel(ctx)
	defer stop()
	events := i.listen(listening)
	var d Device
	err := i.await(ctx, events, fmt.Sprintf("%d bytes of %s", t.SizeBytes, t.IQN), func() (bool, error) {
		dir, _, err := i.locate(t)
		if err != nil {
			return false, err
		}
		if err := i.refresh(ctx, dir); err != nil {
			return false, err
		}
		_, d, err = i.locate(t)
		return err == nil && d.SizeBytes >= t.SizeBytes, err
	})
	if err != nil {
		return Device{}, fmt.Errorf("resize: %w", err)
	}
	return d, nil
}
