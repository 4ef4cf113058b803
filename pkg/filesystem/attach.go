package filesystem

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	mount "k8s.io/mount-utils"
)

// The permissions of what is made to mount on.
const (
	directoryMode = 0o750
	fileMode      = 0o660
)

// MountRequest asks for a device's filesystem at a path.
type MountRequest struct {
	Device string
	Path   string
	FSType string
	Flags  []string
	// ReadOnly: nothing is written to the device, not even a log's replay. What
	// was not in place when a log was cut off is not seen then.
	ReadOnly bool
}

// untouched are the options by which a filesystem is mounted without its log:
// ext4(5), xfs(5), btrfs(5).
var untouched = map[string][]string{
	Ext4:  {"ro", "noload"},
	XFS:   {"ro", "norecovery"},
	Btrfs: {"ro", "rescue=nologreplay"},
}

// refusedFlags are not options of a mount but other operations of mount(8).
var refusedFlags = []string{"bind", "rbind", "remount", "move"}

// Mount mounts the filesystem; the directory is made where it is not there.
func (f *Filesystem) Mount(ctx context.Context, r MountRequest) error {
	options, err := r.options()
	if err != nil {
		return fmt.Errorf("mount %s: %w", r.Device, err)
	}
	if err := os.MkdirAll(r.Path, directoryMode); err != nil {
		return fmt.Errorf("mount %s: %w", r.Device, err)
	}
	output, err := f.run(ctx, "mount", mount.MakeMountArgs(r.Device, r.Path, r.FSType, options)...)
	if bytes.Contains(output, []byte(unclean)) {
		err = fmt.Errorf("%w; %s: %w", ErrCorrupt, wayOut[r.FSType], err)
	}
	if err != nil {
		return fmt.Errorf("mount %s at %s as %s: %w", r.Device, r.Path, r.FSType, err)
	}
	return nil
}

func (r MountRequest) options() ([]string, error) {
	options := slices.Clone(r.Flags)
	for _, flag := range options {
		if slices.ContainsFunc(strings.Split(flag, ","), func(one string) bool { return slices.Contains(refusedFlags, one) }) {
			return nil, fmt.Errorf("mount option %q: none of %v can be asked for: %w", flag, refusedFlags, ErrInvalid)
		}
	}
	if !r.ReadOnly {
		return options, nil
	}
	for _, flag := range untouched[r.FSType] {
		if !slices.Contains(options, flag) {
			options = append(options, flag)
		}
	}
	return options, nil
}

// unclean is how the kernel says that it found a filesystem damaged (EUCLEAN).
const unclean = "Structure needs cleaning"

// wayOut is what a user can do about a damaged filesystem.
var wayOut = map[string]string{
	Ext4:  "the class's fsck=repair repairs more, at the cost of data",
	XFS:   "the class's fsck=repair runs xfs_repair, at the cost of data",
	Btrfs: "look at it with btrfs check on a copy: nothing repairs it by itself",
}
