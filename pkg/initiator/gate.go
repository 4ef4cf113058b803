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
func (i *Initiator) pass(ctx context.Context, events <-chan struct{}, lunDir string, t Target) (path, error) {
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
		err = i.judge(ctx, filepath.Join(lunDir, "block", d.Name), d, t)
		return err == nil, stillComing(err)
	})
	if err == nil {
		i.outlast(ctx, lunDir)
	}
	return path{dir: lunDir, Device: d}, err
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

// judge is the second half of the gate, for a path and for a map alike; dir is
// the device's in sysfs.
func (i *Initiator) judge(ctx context.Context, dir string, d Device, t Target) error {
	if d.SizeBytes < t.SizeBytes {
		return fmt.Errorf("%s (naa %s) has %d bytes, expected at least %d: %w", d.Path, t.NAA, d.SizeBytes, t.SizeBytes, ErrIdentity)
	}
	protected, err := integer(dir, "ro")
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
