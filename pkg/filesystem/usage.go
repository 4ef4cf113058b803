package filesystem

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// Usage is how full a filesystem is. AvailableBytes is what an unprivileged
// user may still write.
type Usage struct {
	TotalBytes, AvailableBytes, UsedBytes    int64
	TotalInodes, AvailableInodes, UsedInodes int64
}

// Usage of the filesystem at path.
func (f *Filesystem) Usage(ctx context.Context, path string) (Usage, error) {
	var st unix.Statfs_t
	err := bounded(ctx, func() error { return unix.Statfs(path, &st) })
	if err != nil {
		return Usage{}, fmt.Errorf("statfs %s: %w", path, err)
	}
	block := int64(st.Bsize) //nolint:unconvert // another type on some architectures
	return Usage{
		TotalBytes:      int64(st.Blocks) * block,
		AvailableBytes:  int64(st.Bavail) * block,
		UsedBytes:       int64(st.Blocks-st.Bfree) * block,
		TotalInodes:     int64(st.Files),
		AvailableInodes: int64(st.Ffree),
		UsedInodes:      int64(st.Files - st.Ffree),
	}, nil
}

// Grow grows a mounted filesystem to its device's size; one that has it
// already is left as it is.
func (f *Filesystem) Grow(ctx context.Context, fsType, device, path string) error {
	var err error
	switch fsType {
	case Ext4:
		_, err = f.run(ctx, "resize2fs", device)
	case XFS:
		_, err = f.run(ctx, "xfs_growfs", "-d", path)
	case Btrfs:
		_, err = f.run(ctx, "btrfs", "filesystem", "resize", "max", path)
	default:
		err = ErrInvalid
	}
	if err != nil {
		return fmt.Errorf("grow %s on %s at %s: %w", fsType, device, path, err)
	}
	return nil
}
