package iscsi

import (
	"errors"
	"time"
)

// pingTag is the target transfer tag of our own NOP-Ins.
const pingTag = 0

// onNopOut answers a ping, or takes the answer to ours (RFC 7143 §11.18).
func (n *session) onNopOut(h *header) error {
	limit := min(recvSegment, n.params.sendSegment)
	data := make([]byte, h.dataLen())
	if err := n.wire.readData(data); err != nil {
		if errors.Is(err, errDataDigest) {
			return n.reject(h, rejectDataDigest)
		}
		return err
	}
	if h.itt() == noTag {
		if !h.immediate() {
			return n.reject(h, rejectInvalidField)
		}
		return nil
	}
	take, err := n.inOrder(h, false)
	if err != nil || !take {
		return err
	}
	r := newHeader(opNopIn, h.itt())
	r.setLUN(h.lun())
	r.setTTT(noTag)
	return n.numbered(r, data[:min(len(data), limit)])
}

// keepAlive pings a silent initiator and closes the connection of one that is
// silent for longer.
func (n *session) keepAlive() {
	interval, timeout := n.server.options.NopInterval, n.server.options.NopTimeout
	ticker := time.NewTicker(max(min(interval, timeout)/2, time.Millisecond))
	defer ticker.Stop()
	var pinged time.Time
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-ticker.C:
		}
		active := n.lastActive()
		idle := time.Since(active)
		if idle >= interval+timeout {
			n.wire.conn.Close()
			return
		}
		if idle >= interval && !pinged.After(active) && n.ping(timeout) {
			pinged = time.Now()
		}
	}
}

// ping sends a NOP-In that wants an answer. While another write is stuck it
// does not wait behind it.
func (n *session) ping(timeout time.Duration) bool {
	if !n.wire.mu.TryLock() {
		return false
	}
	defer n.wire.mu.Unlock()
	if n.wire.conn.SetWriteDeadline(time.Now().Add(timeout)) != nil {
		return false
	}
	h := newHeader(opNopIn, noTag)
	h.setTTT(pingTag)
	h.put32(24, n.statSN) // the next one, not taken
	if n.putWindow(h, nil) != nil || n.wire.out.Flush() != nil {
		return false
	}
	return n.wire.conn.SetWriteDeadline(time.Time{}) == nil
}
