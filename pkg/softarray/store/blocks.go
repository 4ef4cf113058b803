package store

import (
	"sync"
	"sync/atomic"
)

// blocks are a volume's blocks while it is in use, shared by all its Disks.
type blocks struct {
	volume int64
	disks  int // that are open; under Store.mu

	// gate is shared by writes, so that who holds it alone sees none under way
	// and may replace the chain. Reads do not take it: they look whether the
	// chain was replaced meanwhile, and if so read again.
	gate  sync.RWMutex
	chain atomic.Pointer[chain]
}

func (b *blocks) readAt(p []byte, off int64) (int, error) {
	for {
		c := b.chain.Load()
		n, err := c.read(p, off)
		if b.chain.Load() == c {
			return n, err
		}
	}
}

func (b *blocks) writeAt(p []byte, off int64) (int, error) {
	b.gate.RLock()
	defer b.gate.RUnlock()
	return b.chain.Load().write(p, off)
}

func (b *blocks) unmap(off, n int64) error {
	b.gate.RLock()
	defer b.gate.RUnlock()
	return b.chain.Load().unmap(off, n)
}

// sync may find that the chain is replaced, and layers of the old one closed:
// what they had is then in the new one.
func (b *blocks) sync() error {
	for {
		c := b.chain.Load()
		err := c.sync()
		if err == nil || b.chain.Load() == c {
			return err
		}
	}
}

func (b *blocks) extent(off, limit int64) (int64, bool, error) {
	for {
		c := b.chain.Load()
		n, mapped, err := c.extent(off, limit)
		if b.chain.Load() == c {
			return n, mapped, err
		}
	}
}
