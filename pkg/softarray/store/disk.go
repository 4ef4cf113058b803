package store

import (
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
)

// Disk is a volume's blocks, of which only what was written takes room. It
// implements scsi.Disk. A snapshot, clone or rollback of the volume while it is
// open takes effect on it at once.
type Disk struct {
	store  *Store
	blocks *blocks
	size   atomic.Int64
	closed atomic.Bool
}

// OpenDisk opens the blocks of a volume, fs.ErrNotExist where it is purged. The
// caller closes it.
func (s *Store) OpenDisk(v Volume) (*Disk, error) {
	b, err := s.use(v.ID)
	if errors.Is(err, ErrNotFound) {
		err = errors.Join(fs.ErrNotExist, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open volume %d: %w", v.ID, err)
	}
	d := &Disk{store: s, blocks: b}
	d.size.Store(v.Size)
	return d, nil
}

// ReadAt reads at the byte offset; what was never written reads as zeroes.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) { return d.blocks.readAt(p, off) }

// WriteAt writes at the byte offset; it is durable after Sync.
func (d *Disk) WriteAt(p []byte, off int64) (int, error) { return d.blocks.writeAt(p, off) }

// Unmap frees the range; it reads as zeroes afterwards.
func (d *Disk) Unmap(off, n int64) error { return d.blocks.unmap(off, n) }

// Sync returns when every write that returned before is on stable storage.
func (d *Disk) Sync() error { return d.blocks.sync() }

// Size is the volume's size in bytes.
func (d *Disk) Size() int64 { return d.size.Load() }

// SetSize tells the disk that its volume has grown.
func (d *Disk) SetSize(bytes int64) { d.size.Store(bytes) }

// Extent tells of the run at off whether it is mapped, and its length: all of
// its bytes take room, or none does and they read as zeroes (SBC-3 §4.7.4). The
// run may go on behind that length.
func (d *Disk) Extent(off int64) (n int64, mapped bool, err error) {
	size := d.Size()
	if off < 0 || off >= size {
		return 0, false, fmt.Errorf("extent at %d of a volume of %d bytes: out of range", off, size)
	}
	for off+n < size {
		more, same, err := d.blocks.extent(off+n, size-off-n)
		if err != nil {
			return 0, false, err
		}
		if n > 0 && same != mapped {
			break
		}
		n, mapped = n+more, same
		if n >= extentEnough {
			break
		}
	}
	return n, mapped, nil
}

// extentEnough bounds what one question walks through, bytes.
const extentEnough = 1 << 30

// Close ends the use of the disk.
func (d *Disk) Close() error {
	if d.closed.Swap(true) {
		return fmt.Errorf("close volume %d: already closed", d.blocks.volume)
	}
	return d.store.unuse(d.blocks)
}
