package iscsi

import "time"

const (
	// asyncDropAll: the target drops all connections of the session (RFC 7143
	// §11.9.1).
	asyncDropAll = 3
	// farewellTime bounds how long a session that is dropped waits for a peer
	// that does not read.
	farewellTime = 2 * time.Second
)

// drop ends the session from outside and does not wait: its reader stops
// before the next PDU, tells the initiator, and cleans up.
func (n *session) drop() {
	n.gone.Store(true)
	n.cancel()
	if n.wire.conn.SetReadDeadline(time.Unix(1, 0)) != nil || n.wire.out.hurry(farewellTime) != nil {
		n.wire.conn.Close()
	}
}

func (n *session) dropped() bool { return n.gone.Load() }

// sayFarewell tells the initiator that its session is over, so that it does not
// have to find out.
func (n *session) sayFarewell() error {
	h := newHeader(opAsync, noTag)
	h[36] = asyncDropAll
	if err := n.numbered(&h, nil); err != nil {
		return err
	}
	return n.wire.out.flush()
}
