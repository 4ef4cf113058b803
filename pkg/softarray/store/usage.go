package store

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// Space is the room of the file system that holds the data directory.
type Space struct {
	AvailableBytes int64 // what volumes may still take
	AllocatedBytes int64 // what volumes and snapshots have taken
	// FrozenBytes is the part of AllocatedBytes that is written no more: what
	// snapshots and clones share with each other and with the volumes above them.
	FrozenBytes int64
}

// Usage is the room that a volume takes, in bytes.
type Usage struct {
	Own    int64 // written since its last snapshot or clone
	Shared int64 // frozen layers that it shows a part of, others perhaps too
}

// Total is all that the volume reads from.
func (u Usage) Total() int64 { return u.Own + u.Shared }

// Space asks the file system, and of the layers those that are written.
func (s *Store) Space() (Space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(s.dir, &st); err != nil {
		return Space{}, fmt.Errorf("capacity of %s: %w", s.dir, err)
	}
	space := s.room.total()
	space.AvailableBytes = int64(st.Bavail) * st.Frsize
	return space, nil
}

// Usage is the room that a volume takes.
func (t *Tx) Usage(v Volume) (Usage, error) {
	infos, err := t.chainOf(v.ID)
	if err != nil {
		return Usage{}, err
	}
	var u Usage
	for i, l := range infos {
		if i == len(infos)-1 {
			u.Own = t.store.room.of(l.File)
		} else {
			u.Shared += t.store.room.of(l.File)
		}
	}
	return u, nil
}

// room is what the layers' files take, kept so that a question asks the file
// system only of those that are open.
type room struct {
	mu    sync.Mutex
	files map[int64]fileRoom
	open  map[int64]file
	sum   Space
}

type fileRoom struct {
	bytes  int64
	frozen bool
}

func newRoom() *room { return &room{files: map[int64]fileRoom{}, open: map[int64]file{}} }

// put replaces a file's share of the sum. mu is held.
func (r *room) put(number int64, now fileRoom) {
	r.count(r.files[number], -1)
	r.count(now, 1)
	if r.files[number] = now; now == (fileRoom{}) {
		delete(r.files, number)
	}
}

func (r *room) count(f fileRoom, sign int64) {
	r.sum.AllocatedBytes += sign * f.bytes
	if f.frozen {
		r.sum.FrozenBytes += sign * f.bytes
	}
}

// ask renews what is known of an open file. mu is held.
func (r *room) ask(number int64) {
	f := r.open[number]
	if f == nil {
		return
	}
	if _, allocated, err := f.stat(); err == nil {
		r.put(number, fileRoom{allocated, r.files[number].frozen})
	}
}

func (r *room) total() Space {
	r.mu.Lock()
	defer r.mu.Unlock()
	for number := range r.open {
		r.ask(number)
	}
	return r.sum
}

func (r *room) of(number int64) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ask(number)
	return r.files[number].bytes
}

// opened has the file asked from now on.
func (r *room) opened(number int64, f file) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[number] = f
}

// closing asks the file for the last time.
func (r *room) closing(number int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ask(number)
	delete(r.open, number)
}

func (r *room) found(number, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(number, fileRoom{bytes, r.files[number].frozen})
}

func (r *room) freeze(number int64, frozen bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(number, fileRoom{r.files[number].bytes, frozen})
}

// removed: the file is unlinked; while it is still open it counts no more.
func (r *room) removed(number int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(number, fileRoom{})
	delete(r.open, number)
}
