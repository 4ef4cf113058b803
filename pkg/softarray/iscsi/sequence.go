package iscsi

import "fmt"

// inOrder takes a PDU that is no SCSI command, see expected.
func (n *session) inOrder(h *header) (take bool, err error) {
	take, err = n.expected(h)
	if take && !h.immediate() {
		n.mu.Lock()
		n.expCmdSN++
		n.mu.Unlock()
	}
	return take, err
}

// expected holds a PDU's CmdSN to the window (RFC 7143 §4.2.2.1). Outside of it
// the PDU is to be ignored: take is false. A gap cannot be filled on the only
// connection at error recovery level 0 and ends the session. What is rejected
// counts as not received (§7.3): the number is taken afterwards, by the reader.
func (n *session) expected(h *header) (take bool, err error) {
	if h.immediate() {
		return true, nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	sn := h.cmdSN()
	if before(sn, n.expCmdSN) || before(n.maxCmdSN(), sn) {
		return false, nil
	}
	if sn != n.expCmdSN {
		return false, fmt.Errorf("CmdSN %d while %d is expected", sn, n.expCmdSN)
	}
	return true, nil
}

// plug takes the command sequence number ref for received where the function
// with CmdSN sn aborts a command that never came (RFC 7143 §11.5.1).
func (n *session) plug(ref, sn uint32) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if ref != n.expCmdSN || !before(ref, sn) {
		return false
	}
	n.expCmdSN++
	return true
}

// maxCmdSN is the end of the window: it moves as commands end. The caller
// holds n.mu.
func (n *session) maxCmdSN() uint32 {
	return n.expCmdSN + uint32(n.server.options.QueueDepth-n.inFlight) - 1
}

// numbered sends a PDU that has a status number of its own.
func (n *session) numbered(h *header, data []byte) error {
	n.wire.out.mu.Lock()
	defer n.wire.out.mu.Unlock()
	return n.putNumbered(h, data)
}

// putNumbered is numbered for a caller that holds the outbox.
func (n *session) putNumbered(h *header, data []byte) error {
	h.put32(24, n.statSN)
	n.statSN++
	return n.putWindow(h, data)
}

// putNext sends a PDU that tells the next status number and does not take it.
// The caller holds the outbox.
func (n *session) putNext(h *header) error {
	h.put32(24, n.statSN)
	return n.putWindow(h, nil)
}

// putWindow stamps the command window and writes. The caller holds the outbox.
func (n *session) putWindow(h *header, data []byte) error {
	n.mu.Lock()
	h.put32(28, n.expCmdSN)
	h.put32(32, n.maxCmdSN())
	n.mu.Unlock()
	return n.wire.out.put(h, data)
}

// reject answers a PDU with Reject and its header (RFC 7143 §11.17).
func (n *session) reject(h *header, reason byte) error {
	r := newHeader(opReject, noTag)
	r[2] = reason
	return n.numbered(&r, h[:])
}

// rejectAll rejects a PDU whose data has not been read.
func (n *session) rejectAll(h *header, reason byte) error {
	if err := n.wire.skipData(h.dataLen()); err != nil {
		return err
	}
	return n.reject(h, reason)
}
