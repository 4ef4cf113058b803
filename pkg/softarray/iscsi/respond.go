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
// Data-In.
func (n *session) respond(t *task, reply scsi.Reply) error {
	flags, residual := t.residual(reply)
	data := reply.Data
	if !t.reads {
		data = nil
	}
	data = data[:min(len(data), t.expected)]
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	if len(data) > 0 {
		return n.sendData(t, data, flags, residual)
	}
	h := newHeader(opSCSIResponse, t.itt)
	h[1] |= flags
	h[3] = byte(reply.Status)
	h.put32(36, t.r2tSN)
	h.put32(44, residual)
	var segment []byte
	if len(reply.Sense) > 0 {
		segment = binary.BigEndian.AppendUint16(nil, uint16(len(reply.Sense)))
		segment = append(segment, reply.Sense...)
	}
	return n.putNumbered(h, segment)
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
// one with status (RFC 7143 §11.7). The caller holds wire.mu.
func (n *session) sendData(t *task, data []byte, flags byte, residual uint32) error {
	var dataSN uint32
	for at, burst := 0, 0; at < len(data); dataSN++ {
		size := min(len(data)-at, n.params.sendSegment, n.params.maxBurst-burst)
		h := header{opDataIn}
		h.setITT(t.itt)
		h.setTTT(noTag)
		h.put32(36, dataSN)
		h.put32(40, uint32(at))
		segment := data[at : at+size]
		at, burst = at+size, burst+size
		if at == len(data) {
			h[1] = flagFinal | flagStatus | flags
			h.put32(44, residual)
			return n.putNumbered(&h, segment)
		}
		if burst == n.params.maxBurst {
			h[1] = flagFinal
			burst = 0
		}
		if err := n.putWindow(&h, segment); err != nil {
			return err
		}
	}
	return nil
}
