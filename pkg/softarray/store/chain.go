package store

import (
	"errors"
	"io"
	"math"
)

// errStale: the chain was replaced; the read is done again on the new one.
var errStale = errors.New("the volume's layers have changed")

// chain is the layers that a volume shows, base first. It is never changed but
// replaced.
type chain struct {
	view
	// target is the slot that takes the writes: the top, or, while the top is
	// draining into it, the one beneath.
	target   int
	draining bool
	index    *index // nil: a base alone
}

func newChain(v view) *chain {
	c := &chain{view: v, target: len(v.layers) - 1}
	if len(v.layers) > 1 {
		c.index = newIndex(v)
	}
	return c
}

// on makes the successor of a chain, which keeps the index where its layers
// are still the lower ones. The volume's gate is held alone.
func (c *chain) on(v view) *chain {
	next := &chain{view: v, target: len(v.layers) - 1}
	if len(v.layers) == 1 {
		return next
	}
	if c.index == nil || !extends(v.layers, c.layers) {
		next.index = newIndex(v)
		return next
	}
	next.index = c.index
	next.index.replace(v)
	return next
}

func extends(longer, shorter []*layer) bool {
	if len(longer) < len(shorter) {
		return false
	}
	for i, l := range shorter {
		if longer[i] != l {
			return false
		}
	}
	return true
}

func (x *index) replace(v view) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.view = v
}

// drain makes the successor in which the layer beneath the top takes the
// writes. Nothing shows that layer but through the top, so that all of it may
// be written where the top masks it.
func (c *chain) drain() *chain {
	v := view{layers: c.layers, visible: append([]int64(nil), c.visible...)}
	v.visible[c.target-1] = math.MaxInt64
	next := &chain{view: v, target: c.target - 1, draining: true, index: c.index}
	c.top().drainsInto.Store(c.layers[next.target])
	next.index.replace(v)
	return next
}

func (c *chain) top() *layer { return c.layers[len(c.layers)-1] }

func (c *chain) read(p []byte, off int64) (int, error) {
	if c.index == nil {
		return c.layers[0].file.ReadAt(p, off)
	}
	for done := 0; done < len(p); {
		at := off + int64(done)
		end := off + int64(len(p))
		slot, blocks := c.index.run(at/blockSize, (end+blockSize-1)/blockSize-at/blockSize)
		n := int(min(end, (at/blockSize+blocks)*blockSize) - at)
		if err := c.readSlot(slot, p[done:done+n], at); err != nil {
			return done, err
		}
		done += n
	}
	return len(p), nil
}

func (c *chain) readSlot(slot int, p []byte, off int64) error {
	if slot == nowhere {
		clear(p)
		return nil
	}
	if slot >= len(c.layers) {
		return errStale
	}
	n, err := c.layers[slot].file.ReadAt(p, off)
	if n == len(p) || errors.Is(err, io.EOF) {
		clear(p[n:])
		return nil
	}
	return err
}

// write is under the volume's gate.
func (c *chain) write(p []byte, off int64) (int, error) {
	if c.index == nil {
		return c.layers[0].file.WriteAt(p, off)
	}
	first, last := off/blockSize, (off+int64(len(p))-1)/blockSize
	if off%blockSize != 0 {
		if err := c.copyUp(first); err != nil {
			return 0, err
		}
	}
	if (off+int64(len(p)))%blockSize != 0 {
		if err := c.copyUp(last); err != nil {
			return 0, err
		}
	}
	c.index.mu.RLock()
	defer c.index.mu.RUnlock()
	n, err := c.layers[c.target].file.WriteAt(p, off)
	if err != nil {
		return n, err
	}
	return n, c.claim(first, last-first+1)
}

// claim makes the target the owner of blocks that were written to it whole.
// index.mu is held.
func (c *chain) claim(first, count int64) error {
	if c.index.owned(first, count, c.target) {
		return nil
	}
	if err := c.layers[c.target].claim(first, count); err != nil {
		return err
	}
	if c.draining {
		if err := c.top().presence.set(first, count, false); err != nil {
			return err
		}
	}
	c.index.set(first, count, c.target)
	return nil
}

// copyUp copies one block to the target, so that a part of it may be written.
func (c *chain) copyUp(block int64) error {
	if c.index.owned(block, 1, c.target) {
		return nil
	}
	c.index.mu.Lock()
	defer c.index.mu.Unlock()
	slot := c.index.make(block / pageBlocks).get(block % pageBlocks)
	if slot == c.target {
		return nil
	}
	data := make([]byte, blockSize)
	if err := c.readSlot(slot, data, block*blockSize); err != nil {
		return err
	}
	if _, err := c.layers[c.target].file.WriteAt(data, block*blockSize); err != nil {
		return err
	}
	return c.claim(block, 1)
}

// unmap is under the volume's gate.
func (c *chain) unmap(off, n int64) error {
	if c.index == nil {
		return c.layers[0].file.punch(off, n)
	}
	first, end := (off+blockSize-1)/blockSize*blockSize, (off+n)/blockSize*blockSize
	if first >= end {
		return c.zero(off, n)
	}
	if err := errors.Join(c.zero(off, first-off), c.zero(end, off+n-end)); err != nil {
		return err
	}
	c.index.mu.RLock()
	defer c.index.mu.RUnlock()
	if err := c.layers[c.target].file.punch(first, end-first); err != nil {
		return err
	}
	return c.claim(first/blockSize, (end-first)/blockSize)
}

// zero writes zeroes over parts of one or two blocks.
func (c *chain) zero(off, n int64) error {
	if n == 0 {
		return nil
	}
	_, err := c.write(make([]byte, n), off)
	return err
}

// sync makes durable what was written before. Frozen layers are synced once.
func (c *chain) sync() error {
	if c.index == nil {
		return c.layers[0].sync()
	}
	if err := syncAll(c.layers[:c.target]); err != nil {
		return err
	}
	return c.top().sync()
}

// extent is the run at off, at most limit, that is all mapped or all not.
func (c *chain) extent(off, limit int64) (int64, bool, error) {
	if c.index == nil {
		return c.layers[0].file.extent(off, limit)
	}
	slot, blocks := c.index.run(off/blockSize, (off+limit+blockSize-1)/blockSize-off/blockSize)
	n := min(limit, (off/blockSize+blocks)*blockSize-off)
	if slot == nowhere {
		return n, false, nil
	}
	if slot >= len(c.layers) {
		return 0, false, errStale
	}
	return c.layers[slot].file.extent(off, n)
}
