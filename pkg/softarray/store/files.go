package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"
)

const volumesDir = "volumes"

func (s *Store) file(id int64) string {
	return filepath.Join(s.dir, volumesDir, strconv.FormatInt(id, 10))
}

// createFile makes an empty volume, durably. A file that is there belongs to a
// transaction that was never committed.
func (s *Store) createFile(id, size int64) error {
	f, err := os.OpenFile(s.file(id), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("create volume %d: %w", id, err)
	}
	if err := errors.Join(f.Truncate(size), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("create volume %d of %d bytes: %w", id, size, err)
	}
	return syncDir(filepath.Join(s.dir, volumesDir))
}

// resizeFile sets the length of a volume's file, durably.
func (s *Store) resizeFile(id, size int64) error {
	f, err := os.OpenFile(s.file(id), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("resize volume %d: %w", id, err)
	}
	if err := errors.Join(f.Truncate(size), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("resize volume %d to %d bytes: %w", id, size, err)
	}
	return nil
}

func (s *Store) removeFile(id int64) error {
	if err := os.Remove(s.file(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove volume %d: %w", id, err)
	}
	return nil
}

// sweepFiles makes files and records agree after a crash: a file without a
// record is removed, one that is longer than its volume is cut (the growth was
// never committed); a volume whose file is missing or too short is damage that
// nothing here can mend.
func (s *Store) sweepFiles() error {
	sizes := map[int64]int64{}
	err := s.View(func(t *Tx) error {
		for v, err := range t.Volumes().From(0) {
			if err != nil {
				return err
			}
			sizes[v.ID] = v.Size
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.removeOrphans(sizes); err != nil {
		return err
	}
	var damage []error
	for id, size := range sizes {
		damage = append(damage, s.checkFile(id, size))
	}
	return errors.Join(damage...)
}

func (s *Store) removeOrphans(known map[int64]int64) error {
	dir := filepath.Join(s.dir, volumesDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("volumes: %w", err)
	}
	for _, e := range entries {
		id, err := strconv.ParseInt(e.Name(), 10, 64)
		if err != nil {
			continue // not ours to touch
		}
		if _, ok := known[id]; ok {
			continue
		}
		klog.InfoS("Removing the file of a volume that was never committed or is purged", "volumeID", id)
		if err := s.removeFile(id); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) checkFile(id, size int64) error {
	info, err := os.Stat(s.file(id))
	if err != nil {
		return fmt.Errorf("volume %d of %d bytes: %w: %w", id, size, ErrDamaged, err)
	}
	if info.Size() < size {
		return fmt.Errorf("volume %d of %d bytes: its file has %d: %w", id, size, info.Size(), ErrDamaged)
	}
	if info.Size() > size {
		return s.resizeFile(id, size)
	}
	return nil
}

// Space is the room of the file system that holds the data directory.
type Space struct {
	AvailableBytes int64 // what volumes may still take
	AllocatedBytes int64 // what volumes have taken
}

// Space asks the file system; it costs one stat a volume.
func (s *Store) Space() (Space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(s.dir, &st); err != nil {
		return Space{}, fmt.Errorf("capacity of %s: %w", s.dir, err)
	}
	space := Space{AvailableBytes: int64(st.Bavail) * st.Frsize}
	entries, err := os.ReadDir(filepath.Join(s.dir, volumesDir))
	if err != nil {
		return Space{}, fmt.Errorf("volumes: %w", err)
	}
	for _, e := range entries {
		n, err := allocated(filepath.Join(s.dir, volumesDir, e.Name()))
		if err != nil {
			return Space{}, err
		}
		space.AllocatedBytes += n
	}
	return space, nil
}

// Allocated is the room that a volume takes, in bytes; 0 where it was purged meanwhile.
func (s *Store) Allocated(id int64) (int64, error) { return allocated(s.file(id)) }

func allocated(path string) (int64, error) {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	if errors.Is(err, unix.ENOENT) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("stat %s: %w", path, err)
	}
	return st.Blocks * 512, nil // st_blocks counts 512 bytes whatever the file system's block
}

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
