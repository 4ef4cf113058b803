package filesystem

import (
	"context"
	"fmt"
	"slices"
)

// Format makes the filesystem, over whatever is there: the caller passed the
// format gate. Nothing is discarded first, and ext4's journal is not zeroed: a
// LUN that is formatted is blank, so it has nothing to give back and reads as
// zeroes already, and either would count against the volume's IOPS.
func (f *Filesystem) Format(ctx context.Context, device, fsType string, options []string) error {
	var defaults []string
	switch fsType {
	case Ext4:
		defaults = []string{"-F", "-q", "-m", "0", "-E", "nodiscard,lazy_itable_init=1,lazy_journal_init=1"}
	case XFS:
		defaults = []string{"-f", "-q", "-K"}
	case Btrfs:
		defaults = []string{"-f", "-q", "-K"}
	default:
		return fmt.Errorf("format %s: filesystem %q: not ext4, xfs or btrfs: %w", device, fsType, ErrInvalid)
	}
	if _, err := f.run(ctx, "mkfs."+fsType, slices.Concat(defaults, options, []string{device})...); err != nil {
		return fmt.Errorf("format %s as %s: %w", device, fsType, err)
	}
	return nil
}
