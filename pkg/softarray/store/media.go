package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// media is the directory of the layers' files. What a power cut does to it is
// part of the contract: a name made or removed lasts after sync, a file's
// content and length after the file's Sync; until then any part of it may be
// old or new, in any order.
type media interface {
	// create makes an empty file; what was there of that name is gone.
	create(name string) (file, error)
	open(name string) (file, error)
	// remove takes a name away; it is no error if it is not there.
	remove(name string) error
	names() ([]string, error)
	sync() error
	// boot names the time since the last power cut: while it stays the same,
	// nothing that was written is lost.
	boot() string
}

// file is one layer's blocks, or the map of them.
type file interface {
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	Truncate(bytes int64) error
	// Sync returns when all that was written before is on stable storage.
	Sync() error
	// punch frees the range; it reads as zeroes afterwards.
	punch(off, n int64) error
	// extent is the length of the run at off, at most limit, that all has or
	// all has no room on the media.
	extent(off, limit int64) (n int64, data bool, err error)
	// stat is the length and the room taken, both bytes.
	stat() (size, allocated int64, err error)
	Close() error
}

// hostDir is a directory of the host's filesystem.
type hostDir struct {
	path     string
	bootID   string
	readOnly bool
}

// openHostDir opens the directory, making it if it is not there.
func openHostDir(path string) (*hostDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("directory of layers: %w", err)
	}
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, fmt.Errorf("the kernel's boot id: %w", err)
	}
	return &hostDir{path: path, bootID: strings.TrimSpace(string(id))}, nil
}

func (d *hostDir) boot() string { return d.bootID }

func (d *hostDir) create(name string) (file, error) {
	return d.openFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}

func (d *hostDir) open(name string) (file, error) {
	if d.readOnly {
		return d.openFile(name, os.O_RDONLY)
	}
	return d.openFile(name, os.O_RDWR)
}

func (d *hostDir) openFile(name string, flags int) (file, error) {
	f, err := os.OpenFile(filepath.Join(d.path, name), flags, 0o600)
	if err != nil {
		return nil, err
	}
	return hostFile{f}, nil
}

func (d *hostDir) remove(name string) error {
	if err := os.Remove(filepath.Join(d.path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d *hostDir) names() ([]string, error) {
	f, err := os.Open(d.path)
	if err != nil {
		return nil, err
	}
	names, err := f.Readdirnames(-1)
	return names, errors.Join(err, f.Close())
}

func (d *hostDir) sync() error { return syncDir(d.path) }

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
