package store

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
)

// simMedia is media in memory that can be killed or lose their power before any
// operation, and then keep what the contract of media says.
type simMedia struct {
	mu      sync.Mutex
	tree    map[string]*simFile // as a running process sees them
	durable map[string]*simFile // after a power cut, if luck is bad
	boots   int

	left int    // operations until the end; negative = for ever
	dead bool   // nothing works any more
	dies func() // called once, at the end
}

var errDead = fmt.Errorf("the machine is dead")

func newSimMedia() *simMedia {
	return &simMedia{tree: map[string]*simFile{}, durable: map[string]*simFile{}, left: -1}
}

// simFile is a file's pages; a missing page is a hole.
type simFile struct {
	media  *simMedia
	pages  map[int64][]byte
	synced map[int64][]byte
	// versions of the pages that were written since the last sync
	versions             map[int64][][]byte
	length, syncedLength int64
}

const (
	simPage   = 4096
	simSector = 512
)

// operation is before each change. It reports whether the change may be done.
func (m *simMedia) operation() error {
	if m.dead {
		return errDead
	}
	if m.left--; m.left == 0 {
		m.dead = true
		m.mu.Unlock()
		m.dies()
		m.mu.Lock()
		return errDead
	}
	return nil
}

func (m *simMedia) isDead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

func (m *simMedia) boot() string { return "boot " + strconv.Itoa(m.boots) }

func (m *simMedia) create(name string) (file, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.operation(); err != nil {
		return nil, err
	}
	f := &simFile{media: m, pages: map[int64][]byte{}, synced: map[int64][]byte{}, versions: map[int64][][]byte{}}
	m.tree[name] = f
	return &simHandle{simFile: f}, nil
}

func (m *simMedia) open(name string) (file, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return nil, errDead
	}
	f, ok := m.tree[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return &simHandle{simFile: f}, nil
}

func (m *simMedia) remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.operation(); err != nil {
		return err
	}
	delete(m.tree, name)
	return nil
}

func (m *simMedia) names() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.tree)), nil
}

func (m *simMedia) sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.operation(); err != nil {
		return err
	}
	m.durable = maps.Clone(m.tree)
	return nil
}

// afterKill is the media as the next process finds them.
func (m *simMedia) afterKill() *simMedia {
	next := &simMedia{tree: m.tree, durable: m.durable, boots: m.boots, left: -1}
	for _, f := range m.tree {
		f.media = next
	}
	return next
}

// afterPowerCut keeps, of all that was not synced, any part.
func (m *simMedia) afterPowerCut(r *rand.Rand) *simMedia {
	next := &simMedia{tree: map[string]*simFile{}, boots: m.boots + 1, left: -1}
	all := maps.Clone(m.durable)
	maps.Copy(all, m.tree)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		before, now := m.durable[name], m.tree[name]
		kept := before
		if before != now && r.IntN(2) == 0 {
			kept = now
		}
		if kept != nil {
			next.tree[name] = kept.afterPowerCut(next, r)
		}
	}
	next.durable = maps.Clone(next.tree)
	return next
}

func (f *simFile) afterPowerCut(m *simMedia, r *rand.Rand) *simFile {
	next := &simFile{media: m, pages: maps.Clone(f.synced), versions: map[int64][][]byte{}, length: f.syncedLength}
	if r.IntN(2) == 0 {
		next.length = f.length
	}
	for _, page := range slices.Sorted(maps.Keys(f.versions)) {
		// Any sector may be of any version.
		versions := append([][]byte{f.synced[page]}, f.versions[page]...)
		mixed := make([]byte, simPage)
		for at := 0; at < simPage; at += simSector {
			if v := versions[r.IntN(len(versions))]; v != nil {
				copy(mixed[at:at+simSector], v[at:])
			}
		}
		next.put(page, mixed)
	}
	next.versions = map[int64][][]byte{}
	next.synced, next.syncedLength = maps.Clone(next.pages), next.length
	return next
}

func (f *simFile) put(page int64, data []byte) {
	if data != nil && bytes.Equal(data, make([]byte, simPage)) && f.pages[page] == nil {
		data = nil
	}
	if data == nil {
		delete(f.pages, page)
	} else {
		f.pages[page] = data
	}
	f.versions[page] = append(f.versions[page], data)
}

// simHandle is an open file.
type simHandle struct {
	*simFile
	closed bool
}

func (h *simHandle) enter() error {
	if h.closed {
		return fs.ErrClosed
	}
	return h.media.operation()
}

func (h *simHandle) ReadAt(p []byte, off int64) (int, error) {
	h.media.mu.Lock()
	defer h.media.mu.Unlock()
	if h.closed {
		return 0, fs.ErrClosed
	}
	n := int(max(min(int64(len(p)), h.length-off), 0))
	for done := 0; done < n; {
		page, at := (off+int64(done))/simPage, int((off+int64(done))%simPage)
		part := p[done:min(n, done+simPage-at)]
		clear(part)
		if data := h.pages[page]; data != nil {
			copy(part, data[at:])
		}
		done += len(part)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *simHandle) WriteAt(p []byte, off int64) (int, error) {
	h.media.mu.Lock()
	defer h.media.mu.Unlock()
	if err := h.enter(); err != nil {
		return 0, err
	}
	h.write(p, off)
	return len(p), nil
}

func (f *simFile) write(p []byte, off int64) {
	f.length = max(f.length, off+int64(len(p)))
	for len(p) > 0 {
		page, at := off/simPage, off%simPage
		data := make([]byte, simPage)
		copy(data, f.pages[page])
		n := copy(data[at:], p)
		f.pages[page] = data
		f.versions[page] = append(f.versions[page], data)
		p, off = p[n:], off+int64(n)
	}
}

func (h *simHandle) Truncate(length int64) error {
	h.media.mu.Lock()
	defer h.media.mu.Unlock()
	if err := h.enter(); err != nil {
		return err
	}
	for page := range h.pages {
		if page*simPage >= length {
			h.put(page, nil)
		}
	}
	if length < h.length && length%simPage != 0 {
		return fmt.Errorf("not simulated: truncate to %d", length)
	}
	h.length = length
	return nil
}

func (h *simHandle) Sync() error {
	h.media.mu.Lock()
	defer h.media.mu.Unlock()
	if err := h.enter(); err != nil {
		return err
	}
	h.synced, h.syncedLength = maps.Clone(h.pages), h.length
	clear(h.versions)
	return nil
}

func (h *simHandle) punch(off, n int64) error {
	h.media.mu.Lock()
	defer h.media.mu.Unlock()
	if err := h.enter(); err != nil {
		return err
	}
	for ; n > 0 && off < h.length; off, n = off/simPage*simPage+simPage, n-(simPage-off%simPage) {
		if off%simPage == 0 && n >= simPage {
			h.put(off/simPage, nil)
			continue
		}
		h.write(make([]byte, min(n, simPage-off%simPage, h.length-off)), off)
	}
	return nil
}

func (h *simHandle) extent(off, limit int64) (int64, bool, error) {
	h.media.mu.Lock()
	defer h.media.mu.Unlock()
	if h.closed {
		return 0, false, fs.ErrClosed
	}
	_, data := h.pages[off/simPage]
	end := off/simPage*simPage + simPage
	for end < off+limit {
		if _, same := h.pages[end/simPage]; same != data {
			break
		}
		end += simPage
	}
	return min(limit, end-off), data, nil
}

func (h *simHandle) stat() (int64, int64, error) {
	h.media.mu.Lock()
	defer h.media.mu.Unlock()
	if h.closed {
		return 0, 0, fs.ErrClosed
	}
	return h.length, int64(len(h.pages)) * simPage, nil
}

func (h *simHandle) Close() error {
	h.media.mu.Lock()
	defer h.media.mu.Unlock()
	if h.closed {
		return fs.ErrClosed
	}
	h.closed = true
	return nil
}
