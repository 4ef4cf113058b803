package iscsi

import (
	"errors"
	"time"
)

// pingTag is the target transfer tag of our own NOP-Ins.
const pingTag = 0

// onNopOut answers a ping, or takes the answer to ours (RFC 7143 §11.18).
func (n *session) onNopOut(h *header) error {
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
	take, err := n.inOrder(h)
	if err != nil || !take {
		return err
	}
	r := newHeader(opNopIn, h.itt())
	r.setLUN(h.lun())
	r.setTTT(noTag)
	n.wire.out.mu.Lock()
	defer n.wire.out.mu.Unlock()
	return n.putNumbered(&r, data[:min(len(data), n.sendSegment)])
}

// keepAlive pings a silent initiator and closes the connection of one that is
// silent for longer, or owes data for as long.
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
		active := time.Unix(0, n.lastPDU.Load())
		idle := time.Since(active)
		if idle >= interval+timeout || n.owesData(interval+timeout) {
			n.wire.conn.Close()
			return
		}
		if idle >= interval && !pinged.After(active) && n.ping() {
			pinged = time.Now()
		}
	}
}

// owesData says that a write waits and no write has got any data for that long.
func (n *session) owesData(patience time.Duration) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.gathering > 0 && time.Since(time.Unix(0, n.lastData.Load())) >= patience
}

// ping sends a NOP-In that wants an answer. While another send is stuck it
// does not wait behind it.
func (n *session) ping() bool {
	if !n.wire.out.mu.TryLock() {
		return false
	}
	defer n.wire.out.mu.Unlock()
	h := newHeader(opNopIn, noTag)
	h.setTTT(pingTag)
	return n.putNext(&h) == nil && n.wire.out.send() == nil
}
