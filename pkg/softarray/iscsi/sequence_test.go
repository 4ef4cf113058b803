package iscsi

import (
	"testing"
)

func TestCommandOutsideTheWindowIsIgnored(t *testing.T) {
	i := serve(t, Options{QueueDepth: 4}).dial(t).login()
	i.cmdSN += 100
	i.command(0, 0, nil, 0x00)
	i.cmdSN -= 101
	tag := i.command(0, 0, nil, 0x00)
	i.answered(tag, 0)
}

// A command that comes twice is carried out once.
func TestDuplicateIsIgnored(t *testing.T) {
	p := serve(t, Options{})
	i := p.dial(t).login()
	i.answered(i.command(flagWrite, 512, pattern(512), write10(0, 1)...), 0)
	clear(p.disk.b[:512])
	i.cmdSN--
	i.command(flagWrite, 512, pattern(512), write10(0, 1)...)
	i.answered(i.command(0, 0, nil, 0x00), 0)
	if p.disk.b[1] != 0 {
		t.Error("the duplicate was carried out")
	}
}

func TestGapEndsTheSession(t *testing.T) {
	i := serve(t, Options{}).dial(t).login()
	i.cmdSN++
	i.command(0, 0, nil, 0x00)
	i.gone()
}

// What is rejected does not count as received: its number is still expected.
func TestRejectedCommandDoesNotTakeItsNumber(t *testing.T) {
	i := serve(t, Options{}).dial(t).login()
	first := i.command(flagWrite, 512, nil, write10(0, 1)...)
	r2t, _ := i.receive(opR2T)
	for tag, reason := range map[uint32]byte{first: rejectInProgress, noTag: rejectInvalidField} {
		i.tag = tag - 1
		i.command(0, 0, nil, 0x00)
		i.rejected(reason)
		i.cmdSN--
	}
	i.tag = first + 1
	i.dataOut(first, r2t.ttt(), 0, 0, true, pattern(512))
	i.answered(first, 0)
	i.answered(i.command(0, 0, nil, 0x00), 0)
}

func TestStatusNumbersCountUp(t *testing.T) {
	i := serve(t, Options{}).dial(t).login()
	i.answered(i.command(0, 0, nil, 0x00), 0)
	i.request(opNopOut, 0, 77, noTag, nil)
	nop, _ := i.receive(opNopIn)
	for count := range uint32(4) {
		tag := i.command(flagRead, 512, nil, read10(0, 1)...)
		r, _ := i.receive(opDataIn)
		if r.u32(24) != nop.u32(24)+1+count || r.itt() != tag {
			t.Errorf("StatSN %d of %#x after %d", r.u32(24), r.itt(), nop.u32(24)+count)
		}
		if r.u32(28) != i.cmdSN || r.u32(32) != i.cmdSN+127 {
			t.Errorf("window from %d to %d, CmdSN %d", r.u32(28), r.u32(32), i.cmdSN)
		}
	}
	i.command(flagWrite, 512, nil, write10(0, 1)...)
	if r, _ := i.receive(opR2T); r.u32(24) != nop.u32(24)+5 {
		t.Errorf("an R2T tells StatSN %d, want the next, %d", r.u32(24), nop.u32(24)+5)
	}
}

// Immediate commands go past the window, so that they have a limit of their own.
func TestImmediateCommandsAreLimited(t *testing.T) {
	p := serve(t, Options{})
	g := &gate{open: make(chan struct{}), waiting: make(chan struct{}, 4)}
	p.directory.admission.Throttle = g
	i := p.dial(t).login()
	for n := range uint32(maxImmediate + 1) {
		h := &header{0x40 | opSCSICommand, flagFinal | flagRead}
		h.setITT(0x100 + n)
		h.put32(20, 512)
		h.put32(24, i.cmdSN)
		copy(h[32:], read10(0, 1))
		i.send(h, nil)
	}
	i.rejected(rejectTooMany)
}
