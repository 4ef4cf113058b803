package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/bits"
	"slices"
	"sync"
)

const (
	// blockSize is the grain of sharing, bytes.
	blockSize = 4096
	// pageBlocks is how many blocks a page of a presence map, and one of an
	// index, tells of: 128 MiB of a volume.
	pageBlocks = 8 * mapPage
	mapPage    = 4096 // bytes
)

const mapMagic = "san-array layer map 1\n"

// presence says which blocks a layer has; those it has not show the layer
// beneath. A block may be present and unmapped: a hole that reads as zeroes.
//
// Its file begins with a header that has the boot id. Then each page is there
// twice. The durable one is written, and synced, only after the blocks that it
// tells of were: after a power cut it is what counts, and no bit of it can stand
// for a block that was lost. The other one is written before a write is
// acknowledged and never synced: while the boot id is the header's, a kill of
// the process has lost nothing of it, nor of the blocks.
type presence struct {
	file file

	mu    sync.Mutex
	pages map[int64]*bitPage
	dirty map[int64]bool // pages that are not durable
	// unsynced: a process that was killed may have written durable pages and not
	// synced them. Only flush looks at it.
	unsynced bool
}

type bitPage [pageBlocks / 64]uint64

func (b *bitPage) has(i int64) bool { return b[i/64]&(1<<(i%64)) != 0 }

// runMask is the bits of word w that lie in from..to-1.
func runMask(w, from, to int64) uint64 {
	low, high := max(from-w*64, 0), min(to-w*64, 64)
	return ^uint64(0) >> (64 - (high - low)) << low
}

func (b *bitPage) bytes() []byte { return wordBytes(b[:]) }

func wordBytes(words []uint64) []byte {
	raw := make([]byte, 0, 8*len(words))
	for _, w := range words {
		raw = binary.LittleEndian.AppendUint64(raw, w)
	}
	return raw
}

func (b *bitPage) load(raw []byte) {
	for i := range b {
		b[i] = binary.LittleEndian.Uint64(raw[8*i:])
	}
}

// runFrom is the first run of present blocks from a block on, at most limit of
// them; none = 0.
func (b *bitPage) runFrom(first, limit int64) (at, n int64) {
	for first < pageBlocks && !b.has(first) {
		if b[first/64]>>(first%64) == 0 {
			first = (first/64 + 1) * 64
			continue
		}
		first++
	}
	for n < limit && first+n < pageBlocks && b.has(first+n) {
		n++
	}
	return first, n
}

// last is the last present block, -1 = none.
func (b *bitPage) last() int64 {
	for w, word := range slices.Backward(b[:]) {
		if word != 0 {
			return int64(w*64 + bits.Len64(word) - 1)
		}
	}
	return -1
}

func (b *bitPage) count() (n int64) {
	for _, w := range b {
		n += int64(bits.OnesCount64(w))
	}
	return n
}

func durableAt(page int64) int64 { return mapPage * (1 + 2*page) }

func volatileAt(page int64) int64 { return mapPage * (2 + 2*page) }

func mapHeader(boot string) []byte {
	return append([]byte(mapMagic+boot), make([]byte, mapPage-len(mapMagic)-len(boot))...)
}

func newPresence(f file) *presence {
	return &presence{file: f, pages: map[int64]*bitPage{}, dirty: map[int64]bool{}}
}

// formatPresence makes an empty file a map of no blocks; it is not durable yet.
func formatPresence(f file, boot string) error {
	_, err := f.WriteAt(mapHeader(boot), 0)
	return err
}

func readHeader(f file) ([]byte, error) {
	header := make([]byte, mapPage)
	if _, err := f.ReadAt(header, 0); err != nil || !bytes.HasPrefix(header, []byte(mapMagic)) {
		return nil, errors.Join(fmt.Errorf("map of a layer: no header: %w", ErrDamaged), err)
	}
	return header, nil
}

// loadPresence reads a map. After a power cut it makes the volatile pages the
// durable ones.
func loadPresence(f file, boot string) (*presence, error) {
	p := newPresence(f)
	header, err := readHeader(f)
	if err != nil {
		return nil, err
	}
	same := bytes.Equal(header, mapHeader(boot))
	p.unsynced = same
	err = eachMapPage(f, func(page int64, durable, volatile *bitPage) error {
		p.pages[page] = durable
		if *durable == *volatile {
			return nil
		}
		if same {
			p.pages[page], p.dirty[page] = volatile, true
			return nil
		}
		_, err := f.WriteAt(durable.bytes(), volatileAt(page))
		return err
	})
	if err == nil && !same {
		_, err = f.WriteAt(mapHeader(boot), 0)
	}
	if err != nil {
		return nil, fmt.Errorf("map of a layer: %w", err)
	}
	return p, nil
}

// eachMapPage reads the pages of a map that are not all holes.
func eachMapPage(f file, visit func(page int64, durable, volatile *bitPage) error) error {
	size, _, err := f.stat()
	if err != nil {
		return err
	}
	raw := make([]byte, 2*mapPage)
	for page := int64(0); durableAt(page) < size; page++ {
		n, data, err := f.extent(durableAt(page), size-durableAt(page))
		if err != nil {
			return err
		}
		if skip := n / (2 * mapPage); !data && skip > 0 {
			page += skip - 1
			continue
		}
		clear(raw)
		if _, err := f.ReadAt(raw, durableAt(page)); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		durable, volatile := &bitPage{}, &bitPage{}
		durable.load(raw[:mapPage])
		volatile.load(raw[mapPage:])
		if err := visit(page, durable, volatile); err != nil {
			return err
		}
	}
	return nil
}

// set makes blocks present, or absent, as far as a kill goes; what a power cut
// leaves is flush's.
func (p *presence) set(first, count int64, present bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for count > 0 {
		page, at := first/pageBlocks, first%pageBlocks
		n := min(count, pageBlocks-at)
		if err := p.setInPage(page, at, at+n, present); err != nil {
			return fmt.Errorf("map of a layer, blocks %d to %d: %w", first, first+n-1, err)
		}
		first, count = first+n, count-n
	}
	return nil
}

// setInPage writes the words that change before it changes them here: a bit
// that others see is one that a kill leaves.
func (p *presence) setInPage(page, from, to int64, present bool) error {
	b := p.pages[page]
	if b == nil {
		b = &bitPage{}
	}
	low, high := from/64, (to+63)/64
	next := slices.Clone(b[low:high])
	for i := range next {
		if mask := runMask(low+int64(i), from, to); present {
			next[i] |= mask
		} else {
			next[i] &^= mask
		}
	}
	if slices.Equal(next, b[low:high]) {
		return nil
	}
	if _, err := p.file.WriteAt(wordBytes(next), volatileAt(page)+8*low); err != nil {
		return err
	}
	copy(b[low:], next)
	p.dirty[page] = true
	p.pages[page] = b
	return nil
}

// page is a copy of the page; nil = no block of it is present.
func (p *presence) page(n int64) *bitPage {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.pages[n]
	if b == nil {
		return nil
	}
	clone := *b
	return &clone
}

// listed are the pages that may have blocks, ascending.
func (p *presence) listed() []int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.pages))
}

// empty: no block is present.
func (p *presence) empty() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.pages {
		if *b != (bitPage{}) {
			return false
		}
	}
	return true
}

// takeDirty are the pages that are not durable, as they are now. The caller
// flushes them, once the blocks that they tell of are durable, or gives them back.
func (p *presence) takeDirty() map[int64]*bitPage {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.dirty) == 0 {
		return nil
	}
	taken := make(map[int64]*bitPage, len(p.dirty))
	for page := range p.dirty {
		clone := *p.pages[page]
		taken[page] = &clone
	}
	clear(p.dirty)
	return taken
}

func (p *presence) giveBack(pages map[int64]*bitPage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for page := range pages {
		p.dirty[page] = true
	}
}

// flush makes pages durable; one call at a time.
func (p *presence) flush(pages map[int64]*bitPage) error {
	if len(pages) == 0 && !p.unsynced {
		return nil
	}
	for page, b := range pages {
		if _, err := p.file.WriteAt(b.bytes(), durableAt(page)); err != nil {
			return fmt.Errorf("map of a layer: %w", err)
		}
	}
	if err := p.file.Sync(); err != nil {
		return err
	}
	p.unsynced = false
	return nil
}
