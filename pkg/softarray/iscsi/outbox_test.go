package iscsi

import (
	"bytes"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/san-csi/san-csi/pkg/softarray/scsi"
)

// sink is a connection that takes everything.
type sink struct {
	net.Conn
	sent   bytes.Buffer
	writes int
	err    error
}

func (s *sink) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	s.writes++
	return s.sent.Write(p)
}

func (s *sink) SetWriteDeadline(time.Time) error { return nil }

// What is gathered goes out in order, in as few parts as there can be: long
// data where it is, all between it in one.
func TestOutboxGathers(t *testing.T) {
	conn := &sink{}
	var o outbox
	o.init(conn, time.Minute)
	var want []byte
	for n := range 100 {
		h := newHeader(opNopIn, uint32(n))
		data := pattern(n % 5)
		if n == 50 {
			data = pattern(4099)
		}
		if err := o.put(&h, data); err != nil {
			t.Fatal(err)
		}
		want = append(append(want, h[:]...), data...)
		want = append(want, make([]byte, padding(len(data)))...)
	}
	if conn.writes != 0 {
		t.Error("sent before the flush")
	}
	if err := o.flush(); err != nil || !bytes.Equal(conn.sent.Bytes(), want) || conn.writes != 3 {
		t.Errorf("%d bytes in %d parts, want %d in 3: %v", conn.sent.Len(), conn.writes, len(want), err)
	}
}

func TestOutboxSendsWhenItIsFullAndReleasesWhatItHeld(t *testing.T) {
	conn := &sink{}
	var o outbox
	o.init(conn, time.Minute)
	pool := buffers{limit: 1 << 20}
	for range 2 * sendAt / (64 << 10) {
		b := pool.get(64 << 10)
		h := newHeader(opNopIn, 1)
		if err := o.put(&h, b.b); err != nil {
			t.Fatal(err)
		}
		o.hold(b)
		if used := pool.used.Load(); used > sendAt+64<<10 {
			t.Fatalf("%d bytes are held", used)
		}
	}
	conn.err = errors.New("broken")
	if err := o.flush(); !errors.Is(err, conn.err) || pool.used.Load() != 0 {
		t.Errorf("%v, %d bytes are held", err, pool.used.Load())
	}
	h := newHeader(opNopIn, 1)
	if err := o.put(&h, nil); !errors.Is(err, conn.err) {
		t.Errorf("a PDU after a broken one: %v", err)
	}
}

// A command that need not wait takes no memory of its own.
func TestCommandsDoNotAllocate(t *testing.T) {
	p := newPortal(Options{})
	w := newWire(&sink{}, time.Minute)
	params := defaults()
	n := newSession(p.server, w, params, Session{TargetName: testTarget, Created: time.Now()}, 1)
	n.admission, n.nexus = p.directory.admission, p.directory.admission.LUN.Attach(scsi.InitiatorPort{Name: testInitiator, ISID: 1}, n)
	var h header
	h[0], h[1] = opSCSICommand, flagFinal|flagRead
	h.put32(20, 4096)
	copy(h[32:], read10(0, 8))
	sn := uint32(1)
	command := func() {
		h.setITT(sn)
		h.put32(24, sn)
		sn++
		if err := n.handle(&h); err != nil {
			t.Fatal(err)
		}
		w.conn.(*sink).sent.Reset()
		n.flush()
	}
	command() // the unit attention
	if allocations := testing.AllocsPerRun(1000, command); allocations >= 1 {
		t.Errorf("%v allocations a read of 4 KiB", allocations)
	}
}
