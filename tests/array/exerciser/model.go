package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// longest is the longest single operation, bytes.
	longest = 128 << 10
	// remembered is how many operations are told after a mismatch.
	remembered = 30
)

// model is what a file must hold.
type model struct {
	file   *os.File
	random *rand.Rand
	limit  int64
	want   []byte
	done   []string
}

func newModel(f *os.File, seed uint64, limit int64) *model {
	return &model{file: f, random: rand.New(rand.NewPCG(seed, 0)), limit: limit}
}

// operation is one kind of step, and how often of a hundred it is taken.
type operation struct {
	name  string
	share int
	do    func(m *model, at, length int64) error
}

var operations = []operation{
	{"write", 30, (*model).write},
	{"read", 25, (*model).read},
	{"mapped write", 12, (*model).mappedWrite},
	{"mapped read", 10, (*model).mappedRead},
	{"truncate", 8, (*model).truncate},
	{"punch hole", 6, (*model).punch},
	{"fsync", 5, (*model).sync},
	{"drop caches and read", 4, (*model).readFromDisk},
}

// step does one operation at a random place.
func (m *model) step() error {
	chosen := m.random.IntN(100)
	for _, o := range operations {
		if chosen -= o.share; chosen >= 0 {
			continue
		}
		at := m.random.Int64N(m.limit)
		length := 1 + m.random.Int64N(min(longest, m.limit-at))
		m.done = append(m.done, fmt.Sprintf("%s %d bytes at %d, the file has %d", o.name, length, at, len(m.want)))
		m.done = m.done[max(0, len(m.done)-remembered):]
		if err := o.do(m, at, length); err != nil {
			return fmt.Errorf("%s %d bytes at %d: %w", o.name, length, at, err)
		}
		return nil
	}
	return errors.New("the shares of the operations are not 100")
}

// history is what was done last.
func (m *model) history() error { return errors.New("after:\n" + strings.Join(m.done, "\n")) }

// fill draws new bytes.
func (m *model) fill(length int64) []byte {
	p := make([]byte, length)
	for i := range p {
		p[i] = byte(m.random.Uint32())
	}
	return p
}

// grow makes the model at least n bytes long.
func (m *model) grow(n int64) {
	if more := n - int64(len(m.want)); more > 0 {
		m.want = append(m.want, make([]byte, more)...)
	}
}

// within cuts an extent to the file. false: none is left.
func (m *model) within(at, length int64) (int64, bool) {
	length = min(length, int64(len(m.want))-at)
	return length, length > 0
}

func (m *model) compare(got []byte, at int64) error {
	want := m.want[at : at+int64(len(got))]
	if bytes.Equal(got, want) {
		return nil
	}
	first := 0
	for got[first] == want[first] {
		first++
	}
	wrong := 0
	for i := range got {
		if got[i] != want[i] {
			wrong++
		}
	}
	return fmt.Errorf("MISMATCH: %d bytes differ, the first at %d: %#02x, must be %#02x", wrong, at+int64(first), got[first], want[first])
}

func (m *model) write(at, length int64) error {
	p := m.fill(length)
	if _, err := m.file.WriteAt(p, at); err != nil {
		return err
	}
	m.grow(at + length)
	copy(m.want[at:], p)
	return nil
}

func (m *model) read(at, length int64) error {
	length, some := m.within(at, length)
	if !some {
		return nil
	}
	p := make([]byte, length)
	if _, err := m.file.ReadAt(p, at); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return m.compare(p, at)
}

// mapped maps the extent's pages; what it gives is the extent itself.
func (m *model) mapped(at, length int64, do func(p []byte) error) error {
	page := int64(os.Getpagesize())
	from := at &^ (page - 1)
	pages, err := unix.Mmap(int(m.file.Fd()), from, int(at+length-from), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	return errors.Join(do(pages[at-from:]), unix.Munmap(pages))
}

func (m *model) mappedWrite(at, length int64) error {
	length, some := m.within(at, length)
	if !some {
		return nil
	}
	p := m.fill(length)
	copy(m.want[at:], p)
	return m.mapped(at, length, func(mapped []byte) error {
		copy(mapped, p)
		return nil
	})
}

func (m *model) mappedRead(at, length int64) error {
	length, some := m.within(at, length)
	if !some {
		return nil
	}
	return m.mapped(at, length, func(mapped []byte) error { return m.compare(mapped, at) })
}

func (m *model) truncate(at, _ int64) error {
	if err := m.file.Truncate(at); err != nil {
		return err
	}
	m.want = m.want[:min(at, int64(len(m.want)))]
	m.grow(at)
	return nil
}

func (m *model) punch(at, length int64) error {
	err := unix.Fallocate(int(m.file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, at, length)
	if length, some := m.within(at, length); err == nil && some {
		clear(m.want[at : at+length])
	}
	return err
}

func (m *model) sync(_, _ int64) error { return m.file.Sync() }

func (m *model) readFromDisk(at, length int64) error {
	if err := m.file.Sync(); err != nil {
		return err
	}
	if err := unix.Fadvise(int(m.file.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return fmt.Errorf("fadvise: %w", err)
	}
	return m.read(at, length)
}

// checkAll compares length and content with what is on the disk.
func (m *model) checkAll() error {
	info, err := m.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() != int64(len(m.want)) {
		return fmt.Errorf("MISMATCH: the file has %d bytes, must have %d", info.Size(), len(m.want))
	}
	return m.readFromDisk(0, int64(len(m.want)))
}
