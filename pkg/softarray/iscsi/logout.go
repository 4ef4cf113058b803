package iscsi

import "encoding/binary"

// Logout reasons and responses (RFC 7143 §11.14.1, §11.15.1).
const (
	logoutSession    = 0
	logoutConnection = 1
	logoutRecovery   = 2

	logoutDone       = 0
	logoutNoCID      = 1
	logoutNoRecovery = 2
)

// onLogout ends the session, as the end of its only connection does. It is
// answered when no command runs any more, so that an initiator that has logged
// out can be sure of it.
func (n *session) onLogout(h *header) error {
	if err := n.wire.skipData(h.dataLen()); err != nil {
		return err
	}
	reason := h[1] & 0x7f
	if reason > logoutRecovery {
		return n.reject(h, rejectInvalidField)
	}
	take, err := n.inOrder(h)
	if err != nil || !take {
		return err
	}
	r := newHeader(opLogoutReply, h.itt())
	switch {
	case reason == logoutRecovery:
		r[2] = logoutNoRecovery
		return n.numbered(&r, nil)
	case reason == logoutConnection && binary.BigEndian.Uint16(h[20:]) != n.cid:
		r[2] = logoutNoCID
		return n.numbered(&r, nil)
	}
	for _, ended := range n.abort(func(*task) bool { return true }) {
		<-ended
	}
	r[2] = logoutDone
	if err := n.numbered(&r, nil); err != nil {
		return err
	}
	if err := n.wire.out.flush(); err != nil {
		return err
	}
	return errLogout
}
