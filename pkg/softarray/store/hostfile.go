package store

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// hostFile is a sparse file: only what was written takes room.
type hostFile struct{ *os.File }

func (f hostFile) Sync() error { return f.control("fdatasync", unix.Fdatasync) }

func (f hostFile) punch(off, n int64) error {
	err := f.control("punch hole", func(fd int) error {
		return unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
	})
	if errors.Is(err, unix.EOPNOTSUPP) {
		return writeZeroes(f, off, n)
	}
	return err
}

// writeZeroes is for file systems that cannot punch holes.
func writeZeroes(f file, off, n int64) error {
	zeroes := make([]byte, min(n, 1<<20))
	for n > 0 {
		wrote, err := f.WriteAt(zeroes[:min(n, int64(len(zeroes)))], off)
		if err != nil {
			return err
		}
		off, n = off+int64(wrote), n-int64(wrote)
	}
	return nil
}

func (f hostFile) extent(off, limit int64) (int64, bool, error) {
	var data, end int64
	err := f.control("find data", func(fd int) error {
		var err error
		if data, err = unix.Seek(fd, off, unix.SEEK_DATA); err != nil {
			return err
		}
		if data == off {
			end, err = unix.Seek(fd, off, unix.SEEK_HOLE)
		}
		return err
	})
	switch {
	case errors.Is(err, unix.ENXIO): // no data from off to the end
		return limit, false, nil
	case err != nil:
		return 0, false, err
	case data > off:
		return min(limit, data-off), false, nil
	}
	return min(limit, end-off), true, nil
}

func (f hostFile) stat() (size, allocated int64, err error) {
	var st unix.Stat_t
	err = f.control("stat", func(fd int) error { return unix.Fstat(fd, &st) })
	return st.Size, st.Blocks * 512, err // st_blocks counts 512 bytes whatever the file system's block
}

// control runs a system call on the file, again where a signal cut it off.
func (f hostFile) control(what string, call func(fd int) error) error {
	conn, err := f.SyscallConn()
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
		return fmt.Errorf("%s of %s: %w", what, f.Name(), err)
	}
	return nil
}
