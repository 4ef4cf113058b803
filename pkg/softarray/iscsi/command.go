package iscsi

import (
	"errors"

	"github.com/san-csi/san-csi/pkg/softarray/scsi"
)

// The immediate commands under way, and the functions, are bounded on their
// own, as the window does not bound them (RFC 7143 §4.2.2.1).
const (
	maxImmediate = 8
	maxFunctions = 8
)

// onCommand takes a SCSI Command PDU (RFC 7143 §11.3).
func (n *session) onCommand(h *header) error {
	take, err := n.expected(h)
	if err != nil {
		return err
	}
	if !take {
		return n.wire.skipData(h.dataLen())
	}
	if reason := n.refusal(h); reason != 0 {
		return n.rejectAll(h, reason)
	}
	n.lastCommand.Store(n.lastPDU.Load())
	t := n.server.newTask()
	t.itt, t.lun, t.immediate = h.itt(), h.lun(), h.immediate()
	t.reads, t.writes, t.attribute = h[1]&0x40 != 0, h[1]&0x20 != 0, h[1]&7
	t.expected, t.arrived = int(h.u32(20)), n.heard
	n.add(t)
	n.nexus.Prepare(&t.cmd, t.lun, [16]byte(h[32:48]))
	return n.gather(t, h)
}

// refusal is the reason to reject a command, 0 for none.
func (n *session) refusal(h *header) byte {
	switch {
	case h.itt() == noTag:
		return rejectInvalidField
	case n.taken(h.itt()):
		return rejectInProgress
	case h.immediate() && n.tooManyImmediate():
		return rejectTooMany
	}
	return 0
}

func (n *session) tooManyImmediate() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.immediate >= maxImmediate
}

// gather reads immediate data and asks for the rest of what the command takes.
func (n *session) gather(t *task, h *header) error {
	immediate := h.dataLen()
	if t.writes {
		t.cmd.Offered = t.expected
		t.need = min(t.cmd.DataOut, t.expected)
		t.unsolicited = !h.final() && !n.params.initialR2T
	}
	if immediate > 0 && (!t.writes || !n.params.immediateData || immediate > n.unsolicitedLimit(t)) {
		return n.failTask(t, immediate, scsi.SenseUnexpectedData)
	}
	if t.need == 0 {
		if err := n.wire.skipData(immediate); err != nil {
			return err
		}
		n.ready(t)
		return nil
	}
	if !n.reserve(t) {
		if err := n.wire.skipData(immediate); err != nil {
			return err
		}
		n.finish(t, scsi.Reply{Status: scsi.StatusTaskSetFull}, nil)
		return nil
	}
	if err := n.wire.readData(t.out.b[:immediate]); err != nil {
		return n.badCommand(t, h, err)
	}
	t.got = immediate
	return n.solicit(t)
}

// unsolicitedLimit is how much data may come without being asked for.
func (n *session) unsolicitedLimit(t *task) int { return min(n.params.firstBurst, t.expected) }

// reserve takes a buffer for a write, where there is room for it. Unsolicited
// data may be more than the command needs and has its place there too.
func (n *session) reserve(t *task) bool {
	size := max(t.need, n.unsolicitedLimit(t))
	n.mu.Lock()
	defer n.mu.Unlock()
	if t.aborted || n.dataOut+int64(size) > n.server.options.MaxDataOut {
		return false
	}
	out := n.server.buffers.get(size)
	if out == nil {
		return false
	}
	t.out, t.reserved = out, int64(size)
	n.dataOut += t.reserved
	return true
}

// failTask ends a task with sense data after dropping a data segment.
func (n *session) failTask(t *task, segment int, sense scsi.Sense) error {
	if err := n.wire.skipData(segment); err != nil {
		return err
	}
	n.finish(t, scsi.Fail(sense), nil)
	return nil
}

// badCommand handles immediate data that could not be read. With a wrong digest
// the command is rejected, and has not been received (RFC 7143 §7.3, §7.8).
func (n *session) badCommand(t *task, h *header, err error) error {
	if !errors.Is(err, errDataDigest) {
		return err
	}
	n.withdraw(t)
	return n.reject(h, rejectDataDigest)
}
