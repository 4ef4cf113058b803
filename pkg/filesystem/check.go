package filesystem

import (
	"context"
	"fmt"

	"k8s.io/klog/v2"
)

// Fsck is how much a check may repair.
type Fsck string

// The modes of Check.
const (
	Preen  Fsck = "preen"  // only what is safe
	Off    Fsck = "off"    // do not check
	Repair Fsck = "repair" // everything, whatever is lost
)

// Exit codes of e2fsck(8) and xfs_repair(8).
const (
	e2fsckCorrected   = 1 // errors were corrected
	e2fsckRebooted    = 2 // and the system should be rebooted: not for what is not mounted
	e2fsckUncorrected = 4
	xfsDirtyLog       = 2
)

// Check checks a filesystem that is not mounted. XFS and btrfs replay their
// logs when they are mounted and have nothing to preen; a btrfs is never
// repaired here, since its own tool advises against it.
func (f *Filesystem) Check(ctx context.Context, device, fsType string, mode Fsck) error {
	switch mode {
	case Off:
		return nil
	case Preen, Repair:
	default:
		return fmt.Errorf("check %s: mode %q: not preen, off or repair: %w", device, mode, ErrInvalid)
	}
	if fsType == Ext4 {
		return f.checkExt(ctx, device, mode)
	}
	if fsType == XFS && mode == Repair {
		return f.repairXFS(ctx, device)
	}
	return nil
}

func (f *Filesystem) checkExt(ctx context.Context, device string, mode Fsck) error {
	flag := "-p"
	if mode == Repair {
		flag = "-y"
	}
	output, err := f.run(ctx, "e2fsck", flag, device)
	code := exitCode(err)
	switch {
	case err == nil:
		return nil
	case code > 0 && code&^(e2fsckCorrected|e2fsckRebooted) == 0:
		klog.FromContext(ctx).Info("Filesystem errors were corrected", "device", device, "mode", mode, "output", string(excerpt(output)))
		return nil
	case code > 0 && code&e2fsckUncorrected != 0:
		return fmt.Errorf("check %s, mode %s: %w; %s: %w", device, mode, ErrCorrupt, wayOut[Ext4], err)
	}
	return fmt.Errorf("check %s, mode %s: %w", device, mode, err)
}

func (f *Filesystem) repairXFS(ctx context.Context, device string) error {
	_, err := f.run(ctx, "xfs_repair", device)
	if exitCode(err) == xfsDirtyLog {
		klog.FromContext(ctx).Info("XFS log is dirty: the mount replays it, nothing repaired", "device", device)
		return nil
	}
	if err != nil {
		return fmt.Errorf("repair %s: %w", device, err)
	}
	return nil
}
