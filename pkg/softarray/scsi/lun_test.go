package scsi

import (
	"bytes"
	"encoding/binary"
	"sync"
	"testing"
)

// memory is a Disk in memory; err makes every call fail.
type memory struct {
	mu    sync.Mutex
	b     []byte
	syncs int
	err   error
}

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return copy(p, m.b[off:]), m.err
}

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return 0, m.err
	}
	return copy(m.b[off:], p), nil
}

func (m *memory) Unmap(off, n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.b[off : off+n])
	return m.err
}

// Extent says that 4 KiB of zeroes take no room.
func (m *memory) Extent(off int64) (n int64, mapped bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	start := off / 4096 * 4096
	end := min(start+4096, int64(len(m.b)))
	return end - off, len(bytes.Trim(m.b[start:end], "\x00")) > 0, m.err
}

func (m *memory) Sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.syncs++
	return m.err
}

func (m *memory) Size() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int64(len(m.b))
}

func (m *memory) grow(to int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.b = append(m.b, make([]byte, to-len(m.b))...)
}

const (
	testEUI = "3365657500000140f47acc0100000000"
	testNAA = "6f47acc1000000003365657500000140"
)

// tasks counts how often a nexus's commands were aborted.
type tasks struct{ aborted int }

func (t *tasks) AbortTasks() { t.aborted++ }

// ready is a nexus on 64 KiB whose power-on unit attention has been taken.
func ready(t *testing.T, blockSize int) (*Nexus, *memory) {
	t.Helper()
	d := &memory{b: make([]byte, 64<<10)}
	n := NewLUN(d, Identity{Vendor: "SolidFir", Product: "SSD SAN", Revision: "0001", EUI: testEUI, NAA: testNAA, BlockSize: blockSize}).Attach(InitiatorPort{Name: "iqn.2001-01.com.example:a", ISID: 1}, &tasks{})
	if s, ok := n.takeAttention(); !ok || s != sensePowerOn {
		t.Fatalf("first unit attention = %+v, %v, want power on", s, ok)
	}
	return n, d
}

// send carries one CDB out, with all the data it takes.
func send(n *Nexus, lun uint64, out []byte, cdb ...byte) Reply {
	var c Command
	n.Prepare(&c, lun, [16]byte(append(cdb, make([]byte, 16-len(cdb))...)))
	c.Offered = len(out)
	c.Received(out)
	return c.Run(make([]byte, c.DataIn), out)
}

// code is the sense key and code of a reply as 0xKKAAQQ, and 0xSS000000 for a
// status without sense data: 0 for GOOD.
func code(r Reply) uint32 {
	if r.Status != StatusCheckCondition {
		return uint32(r.Status) << 24
	}
	return uint32(r.Sense[2])<<16 | uint32(binary.BigEndian.Uint16(r.Sense[12:]))
}
