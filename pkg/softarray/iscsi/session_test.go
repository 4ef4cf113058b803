package iscsi

import (
	"bytes"
	"testing"
)

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>9 + i)
	}
	return b
}

// A write of 16 KiB comes by every way that data can, and is read back over
// segments and bursts of the size agreed on.
func TestWriteAndReadOverEveryNegotiation(t *testing.T) {
	const size, blocks = 16 << 10, 32
	for _, tt := range []struct {
		name      string
		keys      []pair
		immediate int
		r2ts      []int // lengths asked for
	}{
		{"defaults", nil, 0, []int{size}},
		{"immediate data", nil, 4096, []int{size - 4096}},
		{"all immediate", nil, size, nil},
		{"no immediate data", []pair{{"ImmediateData", "No"}}, 0, []int{size}},
		{"small bursts", []pair{{"MaxBurstLength", "6144"}}, 0, []int{6144, 6144, 4096}},
		{"several R2Ts", []pair{{"MaxBurstLength", "8192"}, {"MaxOutstandingR2T", "2"}}, 0, []int{8192, 8192}},
		{"digests", []pair{{"HeaderDigest", "CRC32C"}, {"DataDigest", "CRC32C,None"}}, 512, []int{size - 512}},
		{"segments of 512", []pair{{"MaxRecvDataSegmentLength", "512"}}, 0, []int{size}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := serve(t, Options{})
			i := p.dial(t).login(tt.keys...)
			data := pattern(size)
			tag := i.command(flagWrite, size, data[:tt.immediate], write10(0, blocks)...)
			for _, want := range tt.r2ts {
				r, _ := i.receive(opR2T)
				from, length := int(r.u32(40)), int(r.u32(44))
				if length != want {
					t.Fatalf("R2T of %d at %d, want %d", length, from, want)
				}
				half := length / 2
				i.dataOut(tag, r.ttt(), 0, from, false, data[from:from+half])
				i.dataOut(tag, r.ttt(), 1, from+half, true, data[from+half:from+length])
			}
			if r, _ := i.receive(opSCSIResponse); r[3] != 0 || r[1] != flagFinal {
				t.Fatalf("write: flags %02x status %02x", r[1], r[3])
			}
			if !bytes.Equal(p.disk.b[:size], data) {
				t.Fatal("acknowledged, and not on the disk")
			}
			i.command(flagRead, size, nil, read10(0, blocks)...)
			if got := i.readAll(); !bytes.Equal(got, data) {
				t.Error("read back other data")
			}
		})
	}
}

// readAll gathers Data-In up to the status.
func (i *initiator) readAll() (all []byte) {
	i.t.Helper()
	for sn := uint32(0); ; sn++ {
		h, data := i.receive(opDataIn)
		if h.u32(36) != sn || int(h.u32(40)) != len(all) {
			i.t.Fatalf("DataSN %d at %d, want %d at %d", h.u32(36), h.u32(40), sn, len(all))
		}
		all = append(all, data...)
		if h[1]&flagStatus != 0 {
			return all
		}
	}
}

func TestUnsolicitedDataWithoutInitialR2T(t *testing.T) {
	p := serve(t, Options{})
	i := p.dial(t).login(pair{"InitialR2T", "No"}, pair{"FirstBurstLength", "1024"})
	data := pattern(2048)
	i.tag++
	h := &header{opSCSICommand, flagWrite} // not final: more comes
	h.setITT(i.tag)
	h.put32(20, 2048)
	h.put32(24, i.cmdSN)
	i.cmdSN++
	copy(h[32:], write10(0, 4))
	i.send(h, data[:512])
	i.dataOut(i.tag, noTag, 0, 512, true, data[512:1024])
	r, _ := i.receive(opR2T)
	i.dataOut(i.tag, r.ttt(), 0, 1024, true, data[1024:])
	if r, _ := i.receive(opSCSIResponse); r[3] != 0 || !bytes.Equal(p.disk.b[:2048], data) {
		t.Errorf("status %02x, or other data on the disk", r[3])
	}
}

func TestResiduals(t *testing.T) {
	i := serve(t, Options{}).dial(t).login()
	for _, tt := range []struct {
		name             string
		expected, blocks int
		flag             byte
	}{
		{"underflow", 1024, 1, flagUnderflow},
		{"overflow", 512, 2, flagOverflow},
		{"neither", 512, 1, 0},
	} {
		residual := uint32(max(tt.expected, 512*tt.blocks) - min(tt.expected, 512*tt.blocks))
		i.command(flagRead, tt.expected, nil, read10(0, byte(tt.blocks))...)
		if r, data := i.receive(opDataIn); r[1]&(flagOverflow|flagUnderflow) != tt.flag || r.u32(44) != residual || len(data) != 512 {
			t.Errorf("read, %s: flags %02x residual %d", tt.name, r[1], r.u32(44))
		}
		i.command(flagWrite, tt.expected, pattern(tt.expected), write10(0, byte(tt.blocks))...)
		if r, _ := i.receive(opSCSIResponse); r[1]&(flagOverflow|flagUnderflow) != tt.flag || r.u32(44) != residual {
			t.Errorf("write, %s: flags %02x residual %d", tt.name, r[1], r.u32(44))
		}
	}
}

// Data that is not what was asked for fails its command and nothing else.
func TestWrongDataEndsTheCommand(t *testing.T) {
	asked := func(i *initiator, do func(tag, ttt uint32)) uint32 {
		tag := i.command(flagWrite, 1024, nil, write10(0, 2)...)
		r, _ := i.receive(opR2T)
		do(tag, r.ttt())
		return tag
	}
	unsolicited := []pair{{"InitialR2T", "No"}, {"FirstBurstLength", "512"}}
	for _, tt := range []struct {
		name string
		keys []pair
		do   func(i *initiator) (tag uint32)
		ascq byte // of ASC 0Ch, or of 4Bh where it is 5
	}{
		{"DataSN", nil, func(i *initiator) uint32 {
			return asked(i, func(tag, ttt uint32) { i.dataOut(tag, ttt, 7, 0, true, pattern(1024)) })
		}, 0x05},
		{"offset", nil, func(i *initiator) uint32 {
			return asked(i, func(tag, ttt uint32) { i.dataOut(tag, ttt, 0, 512, true, pattern(512)) })
		}, 0x05},
		{"transfer tag", nil, func(i *initiator) uint32 {
			return asked(i, func(tag, ttt uint32) { i.dataOut(tag, ttt+1, 0, 0, true, pattern(1024)) })
		}, 0x05},
		{"too long", nil, func(i *initiator) uint32 {
			return asked(i, func(tag, ttt uint32) { i.dataOut(tag, ttt, 0, 0, true, pattern(1028)) })
		}, 0x05},
		{"ends early", nil, func(i *initiator) uint32 {
			return asked(i, func(tag, ttt uint32) { i.dataOut(tag, ttt, 0, 0, true, pattern(512)) })
		}, 0x0d},
		{"does not end", nil, func(i *initiator) uint32 {
			return asked(i, func(tag, ttt uint32) { i.dataOut(tag, ttt, 0, 0, false, pattern(1024)) })
		}, 0x0c},
		{"not asked for", nil, func(i *initiator) uint32 {
			return asked(i, func(tag, _ uint32) { i.dataOut(tag, noTag, 0, 0, true, pattern(512)) })
		}, 0x0c},
		{"immediate data that was not agreed on", []pair{{"ImmediateData", "No"}}, func(i *initiator) uint32 {
			return i.command(flagWrite, 1024, pattern(1024), write10(0, 2)...)
		}, 0x0c},
		{"more immediate data than FirstBurstLength", []pair{{"FirstBurstLength", "512"}}, func(i *initiator) uint32 {
			return i.command(flagWrite, 1024, pattern(1024), write10(0, 2)...)
		}, 0x0c},
		{"immediate data of a read", nil, func(i *initiator) uint32 {
			return i.command(flagRead, 512, pattern(512), read10(0, 1)...)
		}, 0x0c},
		{"more unsolicited data than FirstBurstLength", unsolicited, func(i *initiator) uint32 {
			i.tag++
			h := &header{opSCSICommand, flagWrite}
			h.setITT(i.tag)
			h.put32(20, 1024)
			h.put32(24, i.cmdSN)
			copy(h[32:], write10(0, 2))
			i.cmdSN++
			i.send(h, nil)
			i.dataOut(i.tag, noTag, 0, 0, true, pattern(1024))
			return i.tag
		}, 0x0c},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := serve(t, Options{})
			i := p.dial(t).login(tt.keys...)
			sense := i.answered(tt.do(i), 2)
			if sense[2+2] != 0x0b || sense[2+13] != tt.ascq {
				t.Errorf("sense % x, want ABORTED COMMAND with qualifier %#02x", sense, tt.ascq)
			}
			i.answered(i.command(0, 0, nil, 0x00), 0)
			if p.disk.b[1] != 0 {
				t.Error("the write was carried out")
			}
			if used := p.server.buffers.used.Load(); used != 0 {
				t.Errorf("%d bytes of buffers are in use", used)
			}
		})
	}
}

// While a command waits for the ceiling, others and task management go on; an
// aborted one is not answered and not carried out.
func TestThrottledCommandIsAborted(t *testing.T) {
	p := serve(t, Options{})
	g := &gate{open: make(chan struct{}), waiting: make(chan struct{}, 4)}
	p.directory.admission.Throttle = g
	i := p.dial(t).login()
	tag := i.command(flagWrite, 512, pattern(512), write10(0, 1)...)
	<-g.waiting
	other := i.command(0, 0, nil, 0x00)
	if r, _ := i.receive(opSCSIResponse); r.itt() != other {
		t.Fatalf("answer to %#x first, want %#x", r.itt(), other)
	}
	if got := i.manage(tmfAbortTask, tag); got != tmfComplete {
		t.Errorf("abort: %d", got)
	}
	if got := i.manage(tmfAbortTask, tag); got != tmfNoTask {
		t.Errorf("second abort: %d", got)
	}
	if p.disk.b[1] != 0 {
		t.Error("the aborted write was carried out")
	}
}

// A session that was dropped is listed until its command has ended.
func TestDroppedSessionIsListedUntilItsLastCommandEnds(t *testing.T) {
	p := serve(t, Options{})
	p.disk.hold = make(chan struct{})
	i := p.dial(t).login()
	i.command(0, 0, nil, 0x35) // SYNCHRONIZE CACHE
	<-p.disk.held
	p.server.Drop(func(s Session) bool { return s.VolumeID == 320 })
	i.gone()
	if len(p.server.Sessions()) != 1 {
		t.Fatal("the session left the list with a command in flight")
	}
	ended := p.server.matching(func(*session) bool { return true })[0].ended
	close(p.disk.hold)
	<-ended
	if len(p.server.Sessions()) != 0 {
		t.Error("the session stays listed")
	}
}

func TestNopLogoutAndReject(t *testing.T) {
	i := serve(t, Options{}).dial(t).login()
	h := &header{0x40 | opNopOut, flagFinal}
	h.setITT(77)
	h.setTTT(noTag)
	i.send(h, []byte("ping"))
	if r, data := i.receive(opNopIn); r.itt() != 77 || string(data) != "ping" {
		t.Errorf("NOP-In %#x %q", r.itt(), data)
	}
	i.send(&header{0x40 | opSNACK, flagFinal}, nil)
	if r, _ := i.receive(opReject); r[2] != rejectSNACK {
		t.Errorf("reject reason %#02x", r[2])
	}
	out := &header{0x40 | opLogout, flagFinal}
	i.send(out, nil)
	if r, _ := i.receive(opLogoutReply); r[2] != logoutDone {
		t.Errorf("logout response %d", r[2])
	}
	i.gone()
}
