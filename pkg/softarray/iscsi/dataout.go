package iscsi

import (
	"errors"
	"slices"

	"github.com/san-csi/san-csi/pkg/softarray/scsi"
)

// solicit asks for data that is still missing (RFC 7143 §11.8), or starts the
// task when there is none.
func (n *session) solicit(t *task) error {
	if t.unsolicited {
		return nil
	}
	if t.spoiled {
		return n.failSpoiled(t)
	}
	t.asked = max(t.asked, t.got)
	if t.got >= t.need && len(t.r2ts) == 0 {
		n.ready(t)
		return nil
	}
	for len(t.r2ts) < n.params.openR2Ts && t.asked < t.need {
		end := min(t.asked+n.params.maxBurst, t.need)
		if err := n.readyToTransfer(t, t.asked, end); err != nil {
			return err
		}
		t.asked = end
	}
	return nil
}

// failSpoiled fails a task with a digest error once the data that was asked for
// is there (RFC 7143 §7.8).
func (n *session) failSpoiled(t *task) error {
	if len(t.r2ts) == 0 {
		n.finish(t, scsi.Fail(scsi.SenseCRC), nil)
	}
	return nil
}

func (n *session) readyToTransfer(t *task, from, to int) error {
	x := transfer{ttt: n.transferTag(), next: from, end: to}
	t.r2ts = append(t.r2ts, x)
	h := newHeader(opR2T, t.itt)
	h.setLUN(t.lun)
	h.setTTT(x.ttt)
	h.put32(36, t.r2tSN)
	h.put32(40, uint32(from))
	h.put32(44, uint32(to-from))
	t.r2tSN++
	n.wire.out.mu.Lock()
	defer n.wire.out.mu.Unlock()
	return n.putNext(&h)
}

func (n *session) transferTag() uint32 {
	n.nextTTT++
	if n.nextTTT == noTag {
		n.nextTTT = 1
	}
	return n.nextTTT
}

// onDataOut takes a Data-Out PDU (RFC 7143 §11.7). Data of a task that has
// ended is dropped: its initiator had it under way already.
func (n *session) onDataOut(h *header) error {
	n.mu.Lock()
	t := n.tasks[h.itt()]
	wanted := t != nil && t.state == gathering
	n.mu.Unlock()
	if !wanted {
		return n.wire.skipData(h.dataLen())
	}
	if h.ttt() == noTag {
		return n.onUnsolicited(t, h)
	}
	for i := range t.r2ts {
		if t.r2ts[i].ttt == h.ttt() {
			return n.onSolicited(t, i, h)
		}
	}
	return n.failTask(t, h.dataLen(), scsi.SenseDataOffset)
}

func (n *session) onUnsolicited(t *task, h *header) error {
	offset, size := int(h.u32(40)), h.dataLen()
	if !t.unsolicited || t.got+size > n.unsolicitedLimit(t) {
		return n.failTask(t, size, scsi.SenseUnexpectedData)
	}
	if h.u32(36) != t.dataSN || offset != t.got {
		return n.failTask(t, size, scsi.SenseDataOffset)
	}
	if err := n.takeData(t, h, offset, size); err != nil {
		return err
	}
	t.dataSN++
	t.unsolicited = !h.final()
	return n.solicit(t)
}

func (n *session) onSolicited(t *task, i int, h *header) error {
	x := &t.r2ts[i]
	offset, size := int(h.u32(40)), h.dataLen()
	if h.u32(36) != x.dataSN || offset != x.next || size > x.end-x.next {
		return n.failTask(t, size, scsi.SenseDataOffset)
	}
	if err := n.takeData(t, h, offset, size); err != nil {
		return err
	}
	x.dataSN++
	x.next += size
	switch {
	case !h.final() && x.next == x.end:
		n.finish(t, scsi.Fail(scsi.SenseUnexpectedData), nil)
		return nil
	case !h.final():
		return nil
	case x.next != x.end:
		n.finish(t, scsi.Fail(scsi.SenseNotEnoughData), nil)
		return nil
	}
	t.r2ts = slices.Delete(t.r2ts, i, i+1)
	return n.solicit(t)
}

// takeData reads a data segment into its place. One with a wrong digest is
// rejected and spoils the task.
func (n *session) takeData(t *task, h *header, offset, size int) error {
	n.lastData.Store(n.lastPDU.Load())
	t.got += size
	err := n.wire.readData(t.out.b[offset : offset+size])
	if !errors.Is(err, errDataDigest) {
		return err
	}
	t.spoiled = true
	return n.reject(h, rejectDataDigest)
}
