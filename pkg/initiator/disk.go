package initiator

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// sample is what one trial read takes: the largest block that direct I/O asks for, bytes.
const sample = 4096

// disk is what is done with device nodes.
type disk interface {
	// Number is the major:minor of the node at path.
	Number(path string) (string, error)
	// Read reads the head of the device, past the page cache.
	Read(ctx context.Context, path string) error
	// Claimed reports whether a mount or a mapping of the node's has the device
	// for itself.
	Claimed(path string) bool
	// Flush writes back and drops what the page cache has of the device.
	Flush(ctx context.Context, path string) error
}

type blockDisk struct{}

func (blockDisk) Number(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return "", fmt.Errorf("%s: not a block device: %w", path, ErrInvalid)
	}
	return fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev)), nil
}

func (blockDisk) Read(ctx context.Context, path string) error {
	return bounded(ctx, func() error {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
		if err != nil {
			return &os.PathError{Op: "open", Path: path, Err: err}
		}
		return errors.Join(readSample(fd, path), unix.Close(fd))
	})
}

func readSample(fd int, path string) error {
	// A mapping is aligned to pages, as O_DIRECT needs it.
	buffer, err := unix.Mmap(-1, 0, sample, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return fmt.Errorf("buffer for %s: %w", path, err)
	}
	defer func() { _ = unix.Munmap(buffer) }()
	n, err := unix.Pread(fd, buffer, 0)
	if err != nil {
		return &os.PathError{Op: "read", Path: path, Err: err}
	}
	if n < sample {
		return fmt.Errorf("read %s: %d of %d bytes", path, n, sample)
	}
	return nil
}

func (blockDisk) Claimed(path string) bool {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_EXCL|unix.O_CLOEXEC, 0)
	if err != nil {
		return errors.Is(err, unix.EBUSY)
	}
	_ = unix.Close(fd)
	return false
}

func (blockDisk) Flush(ctx context.Context, path string) error {
	return bounded(ctx, func() error {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		if err := file.Sync(); err != nil {
			return errors.Join(err, file.Close())
		}
		err = unix.IoctlSetInt(int(file.Fd()), unix.BLKFLSBUF, 0)
		if err != nil {
			err = &os.PathError{Op: "BLKFLSBUF", Path: path, Err: err}
		}
		return errors.Join(err, file.Close())
	})
}

// writeAttribute writes to an attribute of sysfs, which acts before it returns.
func writeAttribute(ctx context.Context, path, value string) error {
	return bounded(ctx, func() error {
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = file.WriteString(value)
		return errors.Join(err, file.Close())
	})
}
