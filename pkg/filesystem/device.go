package filesystem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// chunk is the largest single direct transfer, bytes.
const chunk = 256 << 10

// device is an open device without the page cache between it and us, so that
// what is read is what the array has, and errors are seen.
type device struct {
	path string
	fd   int
	size int64 // bytes
}

// openDevice opens with O_EXCL, which on a block device fails while a mount, a
// mapping or an mkfs that outlived its caller holds it (open(2)).
func openDevice(path string, flags int) (*device, error) {
	fd, err := unix.Open(path, flags|unix.O_DIRECT|unix.O_EXCL|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil, fmt.Errorf("open %s: another user holds the device: %w", path, ErrBusy)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w: %w", path, ErrUnreadable, err)
	}
	size, err := unix.Seek(fd, 0, io.SeekEnd)
	if err == nil && size == 0 {
		err = errors.New("0 bytes")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("size of %s: %w: %w", path, ErrUnreadable, err), unix.Close(fd))
	}
	return &device{path: path, fd: fd, size: size}, nil
}

func (d *device) close() error { return unix.Close(d.fd) }

// zeroes gives as many as one transfer of the place takes, aligned as O_DIRECT
// needs it; free is to be called.
func zeroes(p place) (buffer []byte, free func(), err error) {
	buffer, err = unix.Mmap(-1, 0, int(min(chunk, p.length)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, nil, fmt.Errorf("buffer of %d bytes: %w", min(chunk, p.length), err)
	}
	return buffer, func() { _ = unix.Munmap(buffer) }, nil
}

// zero reports whether the place reads as zeroes. Several places may be read at
// once.
func (d *device) zero(p place) (bool, error) {
	buffer, free, err := zeroes(p)
	if err != nil {
		return false, err
	}
	defer free()
	for at := p.offset; at < p.offset+p.length; {
		want := min(chunk, p.offset+p.length-at)
		n, err := unix.Pread(d.fd, buffer[:want], at)
		if err != nil || int64(n) != want {
			return false, fmt.Errorf("read %s, %d bytes at %d: got %d: %w: %w", d.path, want, at, n, ErrUnreadable, shortage(err))
		}
		// Each byte is its neighbour, and the first is zero.
		if buffer[0] != 0 || !bytes.Equal(buffer[:want-1], buffer[1:want]) {
			return false, nil
		}
		at += want
	}
	return true, nil
}

// clear writes zeroes to the place.
func (d *device) clear(p place) error {
	buffer, free, err := zeroes(p)
	if err != nil {
		return err
	}
	defer free()
	for at := p.offset; at < p.offset+p.length; {
		want := min(chunk, p.offset+p.length-at)
		n, err := unix.Pwrite(d.fd, buffer[:want], at)
		if err != nil || int64(n) != want {
			return fmt.Errorf("write %s, %d bytes at %d: wrote %d: %w: %w", d.path, want, at, n, ErrUnreadable, shortage(err))
		}
		at += want
	}
	return nil
}

// Protect has the kernel refuse every write to the device from now on, whoever
// opens it: a read-only mount of its node would not (BLKROSET, blockdev(8)).
func (f *Filesystem) Protect(ctx context.Context, path string) error {
	return bounded(ctx, func() error {
		file, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("protect: %w", err)
		}
		if err := unix.IoctlSetPointerInt(int(file.Fd()), unix.BLKROSET, 1); err != nil {
			return errors.Join(fmt.Errorf("protect %s: %w", path, err), file.Close())
		}
		return file.Close()
	})
}

// shortage names a transfer that was cut short without an error.
func shortage(err error) error {
	if err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}

// withDevice opens the device, runs work on it and closes it, no longer than ctx.
func withDevice(ctx context.Context, path string, flags int, work func(*device) error) error {
	return bounded(ctx, func() error {
		d, err := openDevice(path, flags)
		if err != nil {
			return err
		}
		return errors.Join(work(d), d.close())
	})
}
