package store

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
)

// layer is the open files of a layer, shared by all the volumes in use that
// show it. Only the layer that takes a volume's writes changes, and what the
// layer above it masks.
type layer struct {
	number   int64 // of its files
	file     file
	presence *presence // nil: a base, which has every block
	users    int       // under Store.mu

	// drainsInto is the layer beneath once it takes this one's writes and blocks.
	drainsInto atomic.Pointer[layer]
	closed     atomic.Bool
	// frozen counts how often it was found, or written no more, with what may not
	// be durable yet; durable is the count that was made so.
	frozen, durable atomic.Uint64

	syncing sync.Mutex
	begun   atomic.Uint64 // syncs
	done    uint64        // the last one that succeeded; under syncing
}

func blocksName(number int64) string { return strconv.FormatInt(number, 10) }

func mapName(number int64) string { return blocksName(number) + ".map" }

// openLayer opens the files of a layer.
func openLayer(m media, number int64, mapped bool) (*layer, error) {
	f, err := m.open(blocksName(number))
	if err != nil {
		return nil, fmt.Errorf("open layer %d: %w", number, err)
	}
	l := &layer{number: number, file: f}
	l.frozen.Add(1)
	if !mapped {
		return l, nil
	}
	mf, err := m.open(mapName(number))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open layer %d: %w", number, err), f.Close())
	}
	if l.presence, err = loadPresence(mf, m.boot()); err != nil {
		return nil, errors.Join(fmt.Errorf("open layer %d: %w", number, err), f.Close(), mf.Close())
	}
	return l, nil
}

func (l *layer) close() error {
	l.closed.Store(true)
	if l.presence == nil {
		return l.file.Close()
	}
	return errors.Join(l.file.Close(), l.presence.file.Close())
}

// claim notes that the layer has blocks, after they were written.
func (l *layer) claim(first, count int64) error {
	if l.presence == nil {
		return nil
	}
	return l.presence.set(first, count, true)
}

// sync makes the layer's blocks durable, those beneath being so, and then the map of them; of blocks
// that moved to the layer beneath, that they are there before that they are
// gone here. A call that waited while another that began after it succeeded has
// nothing left to do.
func (l *layer) sync() error {
	if l.presence == nil {
		return l.file.Sync()
	}
	return l.once(func() error { return l.presence.flushAfter(l.syncBlocks) })
}

func (l *layer) syncBlocks() error {
	if err := l.file.Sync(); err != nil {
		return err
	}
	beneath := l.drainsInto.Load()
	if beneath == nil {
		return nil
	}
	if err := beneath.sync(); err != nil && !beneath.closed.Load() {
		return err
	}
	return nil // or the layer beneath was merged away, which made it durable
}

// flushAfter flushes the pages as they are at the call, after blocks returned.
func (p *presence) flushAfter(blocks func() error) error {
	pages := p.takeDirty()
	err := blocks()
	if err == nil {
		err = p.flush(pages)
	}
	if err != nil {
		p.giveBack(pages)
	}
	return err
}

func (l *layer) once(sync func() error) error {
	enough := l.begun.Load() + 1
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if l.done >= enough {
		return nil
	}
	n := l.begun.Add(1)
	if err := sync(); err != nil {
		return err
	}
	l.done = n
	return nil
}

// syncAll makes frozen layers durable, base first.
func syncAll(layers []*layer) error {
	for _, l := range layers {
		if err := l.syncFrozen(); err != nil {
			return err
		}
	}
	return nil
}

// syncFrozen makes a layer durable that is written no more. Those beneath must
// be durable.
func (l *layer) syncFrozen() error {
	n := l.frozen.Load()
	if l.durable.Load() >= n {
		return nil
	}
	if err := l.sync(); err != nil {
		return err
	}
	for {
		old := l.durable.Load()
		if old >= n || l.durable.CompareAndSwap(old, n) {
			return nil
		}
	}
}
