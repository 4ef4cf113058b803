package guest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// makeDisk writes an ext4 image that holds the tree at dir, with free bytes
// left over. The image is sparse.
func makeDisk(ctx context.Context, dir, image string, free int64) error {
	size, err := treeSize(dir)
	if err != nil {
		return err
	}
	// A tenth for the file system's own structures.
	size = size + size/10 + free
	if err := os.WriteFile(image, nil, 0o644); err != nil {
		return err
	}
	if err := os.Truncate(image, size); err != nil {
		return err
	}
	// No journal: an image that is thrown away has nothing to recover.
	return run(asRoot(command(ctx, "mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0",
		"-O", "^has_journal,^metadata_csum,^resize_inode", "-E", "root_owner=0:0,lazy_itable_init=1,nodiscard",
		"-d", dir, image)))
}

// Payload makes a read-only disk image of the files in dir and returns its
// path, for [Config].Disks. It is how big files, such as binaries, get into a
// guest. The image is removed with the run's directory.
func Payload(ctx context.Context, dir string) (string, error) {
	return imageOf(ctx, dir, 16<<20)
}

// Scratch makes a disk image of the files in dir, with free bytes left over,
// and returns its path, for [Config].Scratch. It has a journal: it is mounted
// again after a reset.
func Scratch(ctx context.Context, dir string, free int64) (string, error) {
	image, err := imageOf(ctx, dir, free)
	if err != nil {
		return "", err
	}
	return image, run(command(ctx, "tune2fs", "-j", "-J", "size=16", image))
}

func imageOf(ctx context.Context, dir string, free int64) (string, error) {
	w, err := currentWorld()
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(w.scratch(), "disk-*.ext4")
	if err != nil {
		return "", err
	}
	defer f.Close()
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := makeDisk(ctx, absolute, f.Name(), free); err != nil {
		return "", fmt.Errorf("disk of %s: %w", dir, err)
	}
	return f.Name(), nil
}
