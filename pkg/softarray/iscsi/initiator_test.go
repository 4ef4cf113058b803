package iscsi

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/san-csi/san-csi/pkg/softarray/scsi"
)

const (
	testInitiator = "iqn.1993-08.org.debian:01:abc"
	testTarget    = "iqn.2010-01.com.solidfire:3eeu.vol.320"
)

// memory is a Disk; while hold is not nil, writes wait until it is closed.
type memory struct {
	mu   sync.Mutex
	b    []byte
	hold chan struct{}
	held chan struct{}
}

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return copy(p, m.b[off:]), nil
}

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return copy(m.b[off:], p), nil
}

func (m *memory) Unmap(off, n int64) error { clear(m.b[off : off+n]); return nil }
func (m *memory) Size() int64              { return int64(len(m.b)) }

func (m *memory) Extent(off int64) (n int64, mapped bool, err error) {
	return m.Size() - off, true, nil
}

func (m *memory) Sync() error {
	if m.hold != nil {
		close(m.held)
		<-m.hold
	}
	return nil
}

// directory is a Directory of one target.
type directory struct {
	admission *Admission
	forbidden map[string]bool
	user      *CHAP
	more      []string   // targets that a discovery is told of too
	next      *Admission // what a second question is answered
	asked     int
}

func (d *directory) Targets(initiator, account string) []string {
	return append([]string{testTarget}, d.more...)
}

func (d *directory) Admit(initiator, target string) (*Admission, error) {
	if target != testTarget {
		return nil, ErrNoTarget
	}
	if d.forbidden[initiator] {
		return nil, ErrForbidden
	}
	if d.asked++; d.asked > 1 && d.next != nil {
		return d.next, nil
	}
	return d.admission, nil
}

func (d *directory) Secrets(user string) (*CHAP, bool) {
	if d.user == nil || d.user.User != user {
		return nil, false
	}
	return d.user, true
}

// gate is a Throttle that lets nothing through until it is told to.
type gate struct{ open, waiting chan struct{} }

func (g *gate) Admit(ctx context.Context, n int) error {
	select {
	case g.waiting <- struct{}{}:
	default:
	}
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// portal is a server, with its disk and directory, and its first address.
type portal struct {
	server    *Server
	directory *directory
	disk      *memory
	address   string
}

func newPortal(o Options) *portal {
	disk := &memory{b: make([]byte, 4<<20), held: make(chan struct{})}
	d := &directory{forbidden: map[string]bool{}, admission: &Admission{
		VolumeID: 320, AccountID: 7, AccountName: "tenant",
		LUN: scsi.NewLUN(disk, scsi.Identity{Vendor: "SolidFir", Product: "SSD SAN", Revision: "0001", BlockSize: 512}),
	}}
	return &portal{server: NewServer(d, o), directory: d, disk: disk}
}

// serve serves on a loopback port.
func serve(t *testing.T, o Options) *portal {
	t.Helper()
	p := newPortal(o)
	p.address = p.listen(t).String()
	return p
}

// listen serves on one more loopback port.
func (p *portal) listen(t *testing.T) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr()
}

// pipe connects without a network, for tests with a clock of their own. What
// either side sends waits until the other reads it.
func (p *portal) pipe(t *testing.T) *initiator {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close() })
	go p.server.handle(t.Context(), theirs)
	return newInitiator(t, ours)
}

// initiator speaks just enough iSCSI to drive the target.
type initiator struct {
	t      *testing.T
	name   string
	wire   *wire
	cmdSN  uint32
	tag    uint32
	isid   byte
	tsih   uint16
	status uint16
}

func (p *portal) dial(t *testing.T) *initiator {
	t.Helper()
	conn, err := net.Dial("tcp", p.address)
	if err == nil {
		err = conn.SetReadDeadline(time.Now().Add(5 * time.Second)) // for what hangs
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return newInitiator(t, conn)
}

func newInitiator(t *testing.T, conn net.Conn) *initiator {
	return &initiator{t: t, name: testInitiator, wire: newWire(conn, time.Minute), cmdSN: 100, tag: 1, isid: 1}
}

func (i *initiator) send(h *header, data []byte) {
	i.t.Helper()
	i.wire.out.mu.Lock()
	err := i.wire.out.put(h, data)
	i.wire.out.mu.Unlock()
	if err := errors.Join(err, i.wire.out.flush()); err != nil {
		i.t.Fatal(err)
	}
}

// receive reads a PDU of that opcode.
func (i *initiator) receive(opcode byte) (*header, []byte) {
	i.t.Helper()
	var h header
	if err := i.wire.readHeader(&h); err != nil {
		i.t.Fatalf("reading a PDU of opcode %#02x: %v", opcode, err)
	}
	data := make([]byte, h.dataLen())
	if err := i.wire.readData(data); err != nil {
		i.t.Fatal(err)
	}
	if h.opcode() != opcode {
		i.t.Fatalf("opcode %#02x, want %#02x: % x", h.opcode(), opcode, h)
	}
	return &h, data
}

// gone reads until the connection ends.
func (i *initiator) gone() {
	i.t.Helper()
	for {
		var h header
		if err := i.wire.readHeader(&h); err != nil {
			return
		}
		if err := i.wire.skipData(h.dataLen()); err != nil {
			return
		}
	}
}

// step sends one login request with flags T/C and stages in b1.
func (i *initiator) step(b1 byte, pairs ...pair) (*header, []pair) {
	i.t.Helper()
	h := &header{0x40 | opLoginRequest, b1}
	h[13] = i.isid
	h.put16(14, i.tsih)
	h.setITT(i.tag)
	h.put32(24, i.cmdSN)
	i.send(h, formatText(pairs))
	r, data := i.receive(opLoginResponse)
	i.status = uint16(r[36])<<8 | uint16(r[37])
	answers, err := parseText(data)
	if err != nil {
		i.t.Fatal(err)
	}
	return r, answers
}

func named(more ...pair) []pair {
	return append([]pair{{"InitiatorName", testInitiator}, {"TargetName", testTarget}}, more...)
}

// discover goes to full feature phase of a discovery session.
func (i *initiator) discover() *initiator {
	i.t.Helper()
	if r, _ := i.step(0x87, pair{"InitiatorName", i.name}, pair{"SessionType", "Discovery"}); i.status != 0 || r[1]&0x83 != 0x83 {
		i.t.Fatalf("login status %#04x, flags %02x", i.status, r[1])
	}
	return i
}

// login goes to full feature phase in one request and takes the power-on unit
// attention.
func (i *initiator) login(more ...pair) *initiator {
	i.t.Helper()
	r, answers := i.step(0x87, append([]pair{{"InitiatorName", i.name}, {"TargetName", testTarget}}, more...)...)
	if i.status != 0 || r[1]&0x83 != 0x83 {
		i.t.Fatalf("login status %#04x, flags %02x", i.status, r[1])
	}
	i.wire.setDigests(slices.Contains(answers, pair{"HeaderDigest", "CRC32C"}), slices.Contains(answers, pair{"DataDigest", "CRC32C"}))
	i.command(0, 0, nil, 0x00)
	i.receive(opSCSIResponse)
	return i
}

// request sends an immediate PDU of that opcode.
func (i *initiator) request(opcode, b1 byte, itt, ttt uint32, data []byte) {
	i.t.Helper()
	h := &header{0x40 | opcode, flagFinal | b1}
	h.setITT(itt)
	h.setTTT(ttt)
	h.put32(24, i.cmdSN)
	i.send(h, data)
}

// answered wants the response to a command, with that status.
func (i *initiator) answered(tag uint32, status byte) []byte {
	i.t.Helper()
	r, data := i.receive(opSCSIResponse)
	if r.itt() != tag || r[3] != status {
		i.t.Fatalf("response to %#x with status %#02x, want %#x, %#02x", r.itt(), r[3], tag, status)
	}
	return data
}

// rejected wants a Reject.
func (i *initiator) rejected(reason byte) {
	i.t.Helper()
	if r, _ := i.receive(opReject); r[2] != reason {
		i.t.Fatalf("reject reason %#02x, want %#02x", r[2], reason)
	}
}

// command sends a SCSI Command PDU; flags are R and W, the final bit is set.
func (i *initiator) command(flags byte, length int, data []byte, cdb ...byte) (tag uint32) {
	i.t.Helper()
	i.tag++
	h := &header{opSCSICommand, flagFinal | flags}
	h.setITT(i.tag)
	h.put32(20, uint32(length))
	h.put32(24, i.cmdSN)
	copy(h[32:], cdb)
	i.cmdSN++
	i.send(h, data)
	return i.tag
}

// dataOut answers an R2T, or sends unsolicited data.
func (i *initiator) dataOut(tag, ttt, dataSN uint32, offset int, final bool, data []byte) {
	h := &header{opDataOut}
	if final {
		h[1] = flagFinal
	}
	h.setITT(tag)
	h.setTTT(ttt)
	h.put32(36, dataSN)
	h.put32(40, uint32(offset))
	i.send(h, data)
}

// manage sends an immediate task management request and returns its response.
func (i *initiator) manage(function byte, tag uint32) byte {
	i.t.Helper()
	h := &header{0x40 | opTaskRequest, flagFinal | function}
	h.setITT(0x7000)
	h.setTTT(tag)
	h.put32(24, i.cmdSN)
	i.send(h, nil)
	r, _ := i.receive(opTaskResponse)
	return r[2]
}

const (
	flagRead  = 0x40
	flagWrite = 0x20
)

func write10(lba, blocks byte) []byte { return []byte{0x2a, 0, 0, 0, 0, lba, 0, 0, blocks} }
func read10(lba, blocks byte) []byte  { return []byte{0x28, 0, 0, 0, 0, lba, 0, 0, blocks} }
