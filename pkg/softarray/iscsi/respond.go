package iscsi

import (
	"encoding/binary"

	"github.com/san-csi/san-csi/pkg/softarray/scsi"
)

// Flags of SCSI Response and Data-In (RFC 7143 §11.4.1, §11.7.1).
const (
	flagOverflow  = 0x04
	flagUnderflow = 0x02
	flagStatus    = 0x01
)

// respond sends data and status of a task. Good status travels with the last
// Data-In. in, which may have the data, is released when it has been sent.
func (n *session) respond(t *task, reply scsi.Reply, in *buffer) error {
	flags, residual := t.residual(reply)
	data := reply.Data
	if !t.reads {
		data = nil
	}
	data = data[:min(len(data), t.expected)]
	n.wire.out.mu.Lock()
	defer n.wire.out.mu.Unlock()
	if in != nil {
		defer n.wire.out.hold(in)
	}
	count := t.r2tSN
	if len(data) > 0 {
		collapsed := reply.Status == scsi.StatusGood
		sent, err := n.sendData(t, data, collapsed, flags, residual)
		if err != nil || collapsed {
			return err
		}
		count += sent
	}
	h := newHeader(opSCSIResponse, t.itt)
	h[1] |= flags
	h[3] = byte(reply.Status)
	h.put32(36, count)
	h.put32(44, residual)
	if len(reply.Sense) == 0 {
		return n.putNumbered(&h, nil)
	}
	segment := binary.BigEndian.AppendUint16(nil, uint16(len(reply.Sense)))
	return n.putNumbered(&h, append(segment, reply.Sense...))
}

// residual compares what the command moves with what the initiator expects
// (RFC 7143 §11.4.5).
func (t *task) residual(reply scsi.Reply) (flags byte, count uint32) {
	moves := len(reply.Data)
	if t.writes || !t.reads && moves == 0 {
		moves = t.cmd.DataOut
	}
	if reply.Status != scsi.StatusGood && t.writes {
		moves = min(t.got, t.expected)
	}
	expected := t.expected
	if !t.reads && !t.writes {
		expected = 0
	}
	switch {
	case moves > expected:
		return flagOverflow, uint32(moves - expected)
	case moves < expected:
		return flagUnderflow, uint32(expected - moves)
	}
	return 0, 0
}

// sendData sends Data-In PDUs, in sequences of at most MaxBurstLength, the last
// one with good status if that is collapsed into it (RFC 7143 §11.7). It returns
// how many there were. The caller holds the outbox.
func (n *session) sendData(t *task, data []byte, collapsed bool, flags byte, residual uint32) (count uint32, err error) {
	for at, burst := 0, 0; at < len(data); count++ {
		size := min(len(data)-at, n.sendSegment, n.params.maxBurst-burst)
		h := header{opDataIn}
		h.setITT(t.itt)
		h.setTTT(noTag)
		h.put32(36, count)
		h.put32(40, uint32(at))
		segment := data[at : at+size]
		at, burst = at+size, burst+size
		if at == len(data) && collapsed {
			h[1] = flagFinal | flagStatus | flags
			h.put32(44, residual)
			return count + 1, n.putNumbered(&h, segment)
		}
		if burst == n.params.maxBurst || at == len(data) {
			h[1] = flagFinal
			burst = 0
		}
		if err := n.putWindow(&h, segment); err != nil {
			return count, err
		}
	}
	return count, nil
}
