package store

import (
	"math"
	"sync"
	"sync/atomic"
)

// nowhere is the slot of blocks that no layer shows: zeroes.
const nowhere = math.MaxUint16

// maxLayers bounds a chain: slots are 16 bits, of which one is nowhere.
const maxLayers = nowhere - 1

// index says for each block of a volume which layer of its chain shows it, so
// that a read costs one look-up whatever the length of the chain. A page is
// made of the layers' maps when it is first asked for.
type index struct {
	// mu is shared by writes, which change owners by the block, and held alone
	// by who copies a block up or down, makes a page or changes the view.
	mu    sync.RWMutex
	view  view
	pages atomic.Pointer[[]atomic.Pointer[ownerPage]]
}

// view is the layers that an index tells of, by slot: base first.
type view struct {
	layers  []*layer
	visible []int64 // bytes of each layer that show
}

// ownerPage has four slots a word.
type ownerPage [pageBlocks / 4]atomic.Uint64

func (p *ownerPage) get(i int64) int {
	return int(uint16(p[i/4].Load() >> (i % 4 * 16)))
}

func (p *ownerPage) set(i int64, slot int) {
	w, shift := &p[i/4], i%4*16
	for {
		old := w.Load()
		next := old&^(0xffff<<shift) | uint64(slot)<<shift
		if old == next || w.CompareAndSwap(old, next) {
			return
		}
	}
}

func newIndex(v view) *index {
	x := &index{view: v}
	x.pages.Store(&[]atomic.Pointer[ownerPage]{})
	return x
}

// present is the page if it was made.
func (x *index) present(n int64) *ownerPage {
	pages := *x.pages.Load()
	if n >= int64(len(pages)) {
		return nil
	}
	return pages[n].Load()
}

// page is the page, made if it was not. mu must not be held.
func (x *index) page(n int64) *ownerPage {
	if p := x.present(n); p != nil {
		return p
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.make(n)
}

// make is page where mu is held alone.
func (x *index) make(n int64) *ownerPage {
	if p := x.present(n); p != nil {
		return p
	}
	pages := *x.pages.Load()
	if n >= int64(len(pages)) {
		longer := make([]atomic.Pointer[ownerPage], max(n+1, int64(len(pages))*2))
		for i := range pages {
			longer[i].Store(pages[i].Load())
		}
		x.pages.Store(&longer)
		pages = longer
	}
	p := x.view.owners(n)
	pages[n].Store(p)
	return p
}

// owners makes a page from the layers' maps, upper layers over lower ones.
func (v view) owners(n int64) *ownerPage {
	p := &ownerPage{}
	first := n * pageBlocks
	p.setAll(max(v.visible[0]/blockSize-first, 0), pageBlocks, nowhere)
	for slot, l := range v.layers[1:] {
		has := l.presence.page(n)
		if has == nil {
			continue
		}
		end := min(v.visible[slot+1]/blockSize-first, pageBlocks)
		for from, count := has.runFrom(0, pageBlocks); count > 0 && from < end; from, count = has.runFrom(from+count, pageBlocks) {
			p.setAll(from, min(from+count, end), slot+1)
		}
	}
	return p
}

// setAll sets a range, by words where it can.
func (p *ownerPage) setAll(from, to int64, slot int) {
	for i := from; i < to; {
		if i%4 == 0 && i+4 <= to {
			p[i/4].Store(uint64(slot) * 0x0001_0001_0001_0001)
			i += 4
			continue
		}
		p.set(i, slot)
		i++
	}
}

// run is the slot that shows the block and how many blocks from it on, at most
// limit, the slot shows. mu must not be held.
func (x *index) run(block, limit int64) (slot int, n int64) {
	return x.page(block/pageBlocks).run(block%pageBlocks, limit)
}

func (p *ownerPage) run(i, limit int64) (slot int, n int64) {
	limit = min(limit, pageBlocks-i)
	slot = p.get(i)
	for n = 1; n < limit && p.get(i+n) == slot; n++ {
	}
	return slot, n
}

// owned: the slot shows all of the blocks, as far as is known.
func (x *index) owned(first, count int64, slot int) bool {
	for count > 0 {
		p := x.present(first / pageBlocks)
		if p == nil {
			return false
		}
		s, n := p.run(first%pageBlocks, count)
		if s != slot {
			return false
		}
		first, count = first+n, count-n
	}
	return true
}

// set makes a slot the owner; pages that were not made will find it in the
// layer's map. mu is held.
func (x *index) set(first, count int64, slot int) {
	for ; count > 0; first, count = first+1, count-1 {
		if p := x.present(first / pageBlocks); p != nil {
			p.set(first%pageBlocks, slot)
		}
	}
}
