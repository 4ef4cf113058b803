package iscsi

// Logout reasons and responses (RFC 7143 §11.14.1, §11.15.1).
const (
	logoutRecovery   = 2
	logoutDone       = 0
	logoutNoRecovery = 2
)

// onLogout ends the session. It is answered when no command runs any more, so
// that an initiator that has logged out can be sure of it.
func (n *session) onLogout(h *header) error {
	if err := n.wire.skipData(h.dataLen()); err != nil {
		return err
	}
	take, err := n.inOrder(h, false)
	if err != nil || !take {
		return err
	}
	r := newHeader(opLogoutReply, h.itt())
	if h[1]&0x7f == logoutRecovery {
		r[2] = logoutNoRecovery
		return n.numbered(r, nil)
	}
	for _, ended := range n.abort(func(*task) bool { return true }) {
		<-ended
	}
	r[2] = logoutDone
	if err := n.numbered(r, nil); err != nil {
		return err
	}
	if err := n.wire.flush(); err != nil {
		return err
	}
	return errLogout
}
