package store

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Disk is a volume's blocks: a sparse file, of which only what was written
// takes room. It implements scsi.Disk.
type Disk struct {
	file *os.File
	size atomic.Int64
}

// OpenDisk opens the blocks of a volume. The caller closes it.
func (s *Store) OpenDisk(v Volume) (*Disk, error) {
	f, err := os.OpenFile(s.file(v.ID), os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open volume %d: %w", v.ID, err)
	}
	d := &Disk{file: f}
	d.size.Store(v.Size)
	return d, nil
}

// ReadAt reads at the byte offset; what was never written reads as zeroes.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) { return d.file.ReadAt(p, off) }

// WriteAt writes at the byte offset; it is durable after Sync.
func (d *Disk) WriteAt(p []byte, off int64) (int, error) { return d.file.WriteAt(p, off) }

// Sync returns when every write that returned before is on stable storage.
func (d *Disk) Sync() error { return d.control("fdatasync", unix.Fdatasync) }

// Size is the volume's size in bytes.
func (d *Disk) Size() int64 { return d.size.Load() }

// SetSize tells the disk that its volume has grown.
func (d *Disk) SetSize(bytes int64) { d.size.Store(bytes) }

// Close ends the use of the disk.
func (d *Disk) Close() error { return d.file.Close() }

// Unmap frees the range; it reads as zeroes afterwards.
func (d *Disk) Unmap(off, n int64) error {
	err := d.control("punch hole", func(fd int) error {
		return unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
	})
	if errors.Is(err, unix.EOPNOTSUPP) {
		return d.writeZeroes(off, n)
	}
	return err
}

// writeZeroes is for file systems that cannot punch holes.
func (d *Disk) writeZeroes(off, n int64) error {
	zeroes := make([]byte, min(n, 1<<20))
	for n > 0 {
		wrote, err := d.file.WriteAt(zeroes[:min(n, int64(len(zeroes)))], off)
		if err != nil {
			return err
		}
		off, n = off+int64(wrote), n-int64(wrote)
	}
	return nil
}

// Extent says whether the byte at off takes room and for how many bytes from
// there on that is so, as the file system knows it.
func (d *Disk) Extent(off int64) (n int64, mapped bool, err error) {
	data, err := d.seek(off, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) { // no data up to the end
		return d.Size() - off, false, nil
	}
	if err != nil || data > off {
		return data - off, false, err
	}
	hole, err := d.seek(off, unix.SEEK_HOLE)
	return hole - off, true, err
}

// seek finds data or a hole. The file's offset, which it moves, is not used.
func (d *Disk) seek(off int64, whence int) (at int64, err error) {
	err = d.control("seek", func(fd int) (err error) {
		at, err = unix.Seek(fd, off, whence)
		return err
	})
	return at, err
}

// control runs a system call on the file, again where a signal cut it off.
func (d *Disk) control(what string, call func(fd int) error) error {
	conn, err := d.file.SyscallConn()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	var result error
	err = conn.Control(func(fd uintptr) {
		for {
			if result = call(int(fd)); !errors.Is(result, unix.EINTR) {
				return
			}
		}
	})
	if err := errors.Join(err, result); err != nil {
		return fmt.Errorf("%s of %s: %w", what, d.file.Name(), err)
	}
	return nil
}
