package iscsi

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// script is a connection whose peer has sent all it will.
type script struct {
	net.Conn
	in  *bytes.Reader
	out bytes.Buffer
}

func (s *script) Read(p []byte) (int, error)       { return s.in.Read(p) }
func (s *script) Write(p []byte) (int, error)      { return s.out.Write(p) }
func (s *script) Close() error                     { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
func (s *script) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 3260} }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 1} }

// wellFormed wants whole PDUs of a target's opcodes.
func (s *script) wellFormed(t *testing.T, headerDigest, dataDigest bool) {
	t.Helper()
	w := newWire(&script{in: bytes.NewReader(s.out.Bytes())}, time.Minute)
	w.setDigests(headerDigest, dataDigest)
	targets := []byte{opNopIn, opSCSIResponse, opTaskResponse, opLoginResponse, opTextResponse, opDataIn, opLogoutReply, opR2T, opAsync, opReject}
	for {
		var h header
		err := w.readHeader(&h)
		if errors.Is(err, io.EOF) && !errors.Is(err, errHeaderDigest) {
			return
		}
		data := make([]byte, h.dataLen())
		if err = errors.Join(err, w.readData(data)); err != nil || !slices.Contains(targets, h.opcode()) {
			t.Fatalf("answer with opcode %#02x: %v", h.opcode(), err)
		}
	}
}

// nothingLeft wants no memory, place or number taken by what is over.
func (p *portal) nothingLeft(t *testing.T) {
	t.Helper()
	s := p.server
	if used := s.buffers.used.Load(); used != 0 {
		t.Errorf("%d bytes of buffers are in use", used)
	}
	if len(s.sessions)+len(s.handles)+len(s.initiators)+len(s.logins)+len(s.guard.challenges) > 0 {
		t.Errorf("left: sessions %v, handles %v, initiators %v, logins %v, challenges %v", s.sessions, s.handles, s.initiators, s.logins, s.guard.challenges)
	}
}

// seedPDUs are one of each kind, for the fuzzer to start from.
func seedPDUs() (pdus [][]byte) {
	for _, opcode := range []byte{opNopOut, opSCSICommand, opTaskRequest, opTextRequest, opDataOut, opLogout, opSNACK, 0x1f} {
		for _, b0 := range []byte{0, 0x40} {
			h := header{b0 | opcode, flagFinal | flagWrite}
			h.setITT(9)
			h.setTTT(1)
			h.put32(20, 512)
			h.put32(24, 100)
			copy(h[32:], write10(0, 1))
			h.setDataLen(8)
			pdus = append(pdus, append(h[:], "A=1\x00B=2\x00"...))
		}
	}
	return pdus
}

// FuzzFullFeature sends arbitrary bytes in full feature phase: whatever they
// are, what is answered is well formed, the session ends with its connection,
// and nothing of it is left.
func FuzzFullFeature(f *testing.F) {
	all := bytes.Join(seedPDUs(), nil)
	for _, pdu := range append(seedPDUs(), all) {
		f.Add(pdu, false, false, false)
	}
	f.Add(all, true, false, false)
	f.Add(all, false, true, true)
	f.Fuzz(func(t *testing.T, data []byte, discovery, headerDigest, dataDigest bool) {
		p := newPortal(Options{MaxMemory: 4 << 20})
		conn := &script{in: bytes.NewReader(data)}
		w := newWire(conn, time.Minute)
		w.setDigests(headerDigest, dataDigest)
		o := defaults()
		o.initialR2T = false
		n := newSession(p.server, w, o, Session{InitiatorName: testInitiator, TargetName: testTarget, Created: time.Now()}, 100)
		if !discovery {
			n.admission = p.directory.admission
		}
		if _, err := p.server.add(n); err != nil {
			t.Fatal(err)
		}
		n.run(t.Context())
		p.server.remove(n)
		conn.wellFormed(t, headerDigest, dataDigest)
		p.nothingLeft(t)
	})
}

// FuzzLogin sends arbitrary bytes from the first on.
func FuzzLogin(f *testing.F) {
	login := func(b1 byte, pairs ...pair) []byte {
		h := header{0x40 | opLoginRequest, b1}
		text := formatText(pairs)
		h.setDataLen(len(text))
		return append(append(h[:], text...), make([]byte, padding(len(text)))...)
	}
	f.Add(login(0x87, named()...), false)
	f.Add(login(0x87, named(pair{"HeaderDigest", "CRC32C,None"}, pair{"MaxBurstLength", "512"})...), false)
	f.Add(login(0x87, pair{"InitiatorName", testInitiator}, pair{"SessionType", "Discovery"}), false)
	f.Add(bytes.Join([][]byte{
		login(0x01, named(pair{"AuthMethod", "CHAP,None"})...), login(0x01, pair{"CHAP_A", "8,7,6,5"}),
		login(0x81, pair{"CHAP_N", "tenant"}, pair{"CHAP_R", "0x00"}, pair{"CHAP_I", "1"}, pair{"CHAP_C", "0b00"}),
	}, nil), true)
	f.Add(append(login(0x40, pair{"InitiatorName", "iqn.x"}), login(0x83, named()...)...), false)
	f.Fuzz(func(t *testing.T, data []byte, required bool) {
		p := newPortal(Options{})
		if required {
			p.requireCHAP("target123456")
		}
		conn := &script{in: bytes.NewReader(data)}
		if err := p.server.enter("192.0.2.9"); err != nil {
			t.Fatal(err)
		}
		p.server.handle(t.Context(), conn)
		conn.wellFormed(t, false, false)
		p.nothingLeft(t)
	})
}

// FuzzParseText: what is accepted is the same after it has been written again.
func FuzzParseText(f *testing.F) {
	f.Add([]byte("InitiatorName=iqn.x\x00SendTargets=All\x00"))
	f.Add([]byte("A=\x00\x00B"))
	f.Add([]byte("X-a.b@c_d=1~2,3"))
	f.Fuzz(func(t *testing.T, data []byte) {
		pairs, err := parseText(data)
		if err != nil {
			return
		}
		again, err := parseText(formatText(pairs))
		if err != nil || !slices.Equal(pairs, again) {
			t.Errorf("%q: %v, then %v, %v", data, pairs, again, err)
		}
	})
}

func FuzzParseBinary(f *testing.F) {
	f.Add("0x0a1b")
	f.Add("0bAAAA")
	f.Add("0X1")
	f.Fuzz(func(t *testing.T, s string) {
		b, err := parseBinary(s, 64)
		if err == nil && (len(b) > 64 || !strings.HasPrefix(strings.ToLower(s), "0")) {
			t.Errorf("%q gave %d bytes", s, len(b))
		}
	})
}

// FuzzNegotiation: whatever is offered, the outcome is within the bounds.
func FuzzNegotiation(f *testing.F) {
	for _, key := range []string{"MaxBurstLength", "FirstBurstLength", "MaxRecvDataSegmentLength", "MaxOutstandingR2T", "InitialR2T", "HeaderDigest"} {
		for _, value := range []string{"0", "512", "16777215", "0xffffffffffffffff", "-1", "Yes", "None,CRC32C", ""} {
			f.Add(key, value)
		}
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		p := defaults()
		p.answer(key, value)
		p.settle()
		if p.maxBurst < 512 || p.maxBurst > ownMaxBurst || p.firstBurst < 512 || p.firstBurst > p.maxBurst ||
			p.sendSegment < 512 || p.sendSegment >= 1<<24 || p.openR2Ts < 1 || p.openR2Ts > ownOpenR2Ts {
			t.Errorf("%s=%s: %+v", key, value, p)
		}
	})
}
