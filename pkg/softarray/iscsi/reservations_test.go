package iscsi

import (
	"encoding/binary"
	"testing"
)

// persistentReserveOut sends a service action and returns the status.
func (i *initiator) persistentReserveOut(action, kind byte, key, newKey uint64) (status byte) {
	i.t.Helper()
	list := binary.BigEndian.AppendUint64(nil, key)
	list = append(binary.BigEndian.AppendUint64(list, newKey), make([]byte, 8)...)
	i.command(flagWrite, len(list), list, 0x5f, action, kind, 0, 0, 0, 0, 0, byte(len(list)))
	r, _ := i.receive(opSCSIResponse)
	return r[3]
}

// Registrations belong to initiator name and ISID: they outlive a session, and
// another ISID is a stranger.
func TestReservationsBelongToThePort(t *testing.T) {
	const conflict = 0x18
	p := serve(t, Options{})
	a := p.dial(t).login()
	if got := a.persistentReserveOut(0, 0, 0, 1); got != 0 {
		t.Fatalf("register: status %02x", got)
	}
	if got := a.persistentReserveOut(1, 3, 1, 0); got != 0 {
		t.Fatalf("reserve: status %02x", got)
	}
	a.send(&header{0x40 | opLogout, flagFinal}, nil)
	a.receive(opLogoutReply)
	a.gone()

	b := p.dial(t)
	b.isid = 2
	b.login()
	b.command(flagRead, 512, nil, read10(0, 1)...)
	if r, _ := b.receive(opSCSIResponse); r[3] != conflict {
		t.Errorf("read by another port: status %02x", r[3])
	}
	again := p.dial(t).login()
	again.command(flagRead, 512, nil, read10(0, 1)...)
	if r, _ := again.receive(opDataIn); r[1]&flagStatus == 0 || r[3] != 0 {
		t.Errorf("read by the port that logged in anew: flags %02x, status %02x", r[1], r[3])
	}
}

// PREEMPT AND ABORT is answered when no write of the preempted port can land
// any more.
func TestPreemptAndAbortEndsWrites(t *testing.T) {
	const preemptAndAbort = 5
	p := serve(t, Options{})
	a := p.dial(t).login()
	a.persistentReserveOut(0, 0, 0, 1)
	b := p.dial(t)
	b.isid = 2
	b.login()
	b.persistentReserveOut(0, 0, 0, 2)

	p.disk.hold = make(chan struct{})
	fuaWrite := write10(0, 1)
	fuaWrite[1] = 0x08
	a.command(flagWrite, 512, pattern(512), fuaWrite...) // written, and waits for the disk
	<-p.disk.held

	answered := make(chan byte, 1)
	go func() { answered <- b.persistentReserveOut(preemptAndAbort, 1, 2, 1) }()
	c := p.dial(t)
	c.isid = 3
	c.login()
	for c.registrations() > 1 { // until the preemption is in force
	}
	select {
	case <-answered:
		t.Error("answered while the write is under way")
	default:
	}
	close(p.disk.hold)
	if got := <-answered; got != 0 {
		t.Errorf("preempt and abort: status %02x", got)
	}
	a.command(0, 0, nil, 0x00)
	if r, data := a.receive(opSCSIResponse); r.itt() != a.tag || r[3] != 2 || data[2+12] != 0x2a || data[2+13] != 0x05 {
		t.Errorf("status %02x of %#x, sense % x: want REGISTRATIONS PREEMPTED, and no answer to the write", r[3], r.itt(), data)
	}
}

// registrations counts them by READ KEYS.
func (i *initiator) registrations() int {
	i.t.Helper()
	i.command(flagRead, 255, nil, 0x5e, 0, 0, 0, 0, 0, 0, 0, 255)
	_, data := i.receive(opDataIn)
	return int(binary.BigEndian.Uint32(data[4:]) / 8)
}
