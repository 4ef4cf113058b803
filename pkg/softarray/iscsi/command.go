package iscsi

import (
	"errors"
	"fmt"
	"time"

	"github.com/san-csi/san-csi/pkg/softarray/scsi"
)

// maxImmediate bounds the immediate commands under way, which the window does
// not (RFC 7143 §4.2.2.1).
const maxImmediate = 8

// onCommand takes a SCSI Command PDU (RFC 7143 §11.3).
func (n *session) onCommand(h *header) error {
	take, err := n.inOrder(h, true)
	if err != nil {
		return err
	}
	if !take {
		return n.wire.skipData(h.dataLen())
	}
	n.lastCommand.Store(n.lastPDU.Load())
	t := &task{
		itt: h.itt(), lun: h.lun(), immediate: h.immediate(),
		reads: h[1]&0x40 != 0, writes: h[1]&0x20 != 0, attribute: h[1] & 7,
		expected: int(h.u32(20)), arrived: n.heard,
	}
	if n.tooManyImmediate(t) {
		return n.rejectAll(h, rejectTooMany)
	}
	if !n.add(t) {
		return fmt.Errorf("initiator task tag %#x is in use", t.itt)
	}
	n.nexus.Prepare(&t.cmd, t.lun, [16]byte(h[32:48]))
	return n.gather(t, h)
}

func (n *session) tooManyImmediate(t *task) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return t.immediate && n.immediate >= maxImmediate
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
		n.finish(t, scsi.Reply{Status: scsi.StatusTaskSetFull})
		return nil
	}
	if err := n.wire.readData(t.out.b[:immediate]); err != nil {
		return n.badData(t, h, err)
	}
	t.got = immediate
	return n.solicit(t)
}

// unsolicitedLimit is how much data may come without being asked for.
func (n *session) unsolicitedLimit(t *task) int { return min(n.params.firstBurst, t.expected) }

// reserve takes a buffer for a write. Unsolicited data may be more than the
// command needs and has its place there too.
func (n *session) reserve(t *task) bool {
	size := max(t.need, n.unsolicitedLimit(t))
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.dataOut+int64(size) > n.server.options.MaxDataOut {
		return false
	}
	t.reserved = int64(size)
	n.dataOut += t.reserved
	t.out = n.server.buffers.get(size)
	return true
}

// failTask ends a task with sense data after dropping a data segment.
func (n *session) failTask(t *task, segment int, sense scsi.Sense) error {
	if err := n.wire.skipData(segment); err != nil {
		return err
	}
	n.finish(t, scsi.Fail(sense))
	return nil
}

// badData handles a data segment that could not be read: with a wrong digest it
// is rejected and the task fails (RFC 7143 §7.7), all else ends the session.
func (n *session) badData(t *task, h *header, err error) error {
	if !errors.Is(err, errDataDigest) {
		return err
	}
	if err := n.reject(h, rejectDataDigest); err != nil {
		return err
	}
	n.finish(t, scsi.Fail(scsi.SenseCRC))
	return nil
}

// lastActive is when the initiator was last heard of.
func (n *session) lastActive() time.Time { return time.Unix(0, n.lastPDU.Load()) }
