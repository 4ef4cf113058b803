package filesystem

import (
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
	path   string
	fd     int
	size   int64 // bytes
	buffer []byte
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
	d := &device{path: path, fd: fd}
	if err := d.prepare(); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return d, nil
}

// prepare learns the size and gets a buffer aligned as O_DIRECT needs it.
func (d *device) prepare() error {
	size, err := unix.Seek(d.fd, 0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("size of %s: %w: %w", d.path, ErrUnreadable, err)
	}
	if size == 0 {
		return fmt.Errorf("size of %s: 0 bytes: %w", d.path, ErrUnreadable)
	}
	d.size = size
	d.buffer, err = unix.Mmap(-1, 0, chunk, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return fmt.Errorf("buffer for %s: %w", d.path, err)
	}
	return nil
}

func (d *device) close() error {
	return errors.Join(unix.Munmap(d.buffer), unix.Close(d.fd))
}

// zero reports whether the place reads as zeroes.
func (d *device) zero(p place) (bool, error) {
	for at := p.offset; at < p.offset+p.length; {
		want := min(chunk, p.offset+p.length-at)
		n, err := unix.Pread(d.fd, d.buffer[:want], at)
		if err != nil || int64(n) != want {
			return false, fmt.Errorf("read %s, %d bytes at %d: got %d: %w: %w", d.path, want, at, n, ErrUnreadable, shortage(err))
		}
		for _, b := range d.buffer[:want] {
			if b != 0 {
				return false, nil
			}
		}
		at += want
	}
	return true, nil
}

// clear writes zeroes to the place.
func (d *device) clear(p place) error {
	clear(d.buffer)
	for at := p.offset; at < p.offset+p.length; {
		want := min(chunk, p.offset+p.length-at)
		n, err := unix.Pwrite(d.fd, d.buffer[:want], at)
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
