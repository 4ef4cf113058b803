package iscsi

import (
	"errors"
	"io"
	"net"
	"time"
)

// errRedirected ends a login that goes on at another portal.
var errRedirected = errors.New("redirected")

// redirection sends logins from the cluster's portal to those of its nodes.
type redirection struct {
	cluster string
	nodes   []string
}

// Redirect answers logins to the cluster's portal with that of a node
// (RFC 7143 §11.13.5, target moved temporarily), as Element does: always the
// same one for a volume. Discovery is not redirected, and tells the cluster's
// portal whichever it comes in on. Redirect is called before Serve; without it,
// or without nodes, every portal serves what it is asked for.
func (s *Server) Redirect(cluster net.Addr, nodes ...net.Addr) {
	s.redirection = redirection{cluster: cluster.String()}
	for _, node := range nodes {
		s.redirection.nodes = append(s.redirection.nodes, node.String())
	}
}

// redirected is the portal, host:port, to go to for a volume from the one that
// a login came in on, "" to stay.
func (s *Server) redirected(local net.Addr, volume int64) string {
	r := s.redirection
	if len(r.nodes) == 0 || local.String() != r.cluster {
		return ""
	}
	return r.nodes[uint64(volume)%uint64(len(r.nodes))]
}

// portal is what discovery on the local address tells: one that the initiator
// can reach, as it has reached the array there.
func (s *Server) portal(local net.Addr) string {
	if len(s.redirection.nodes) > 0 {
		return s.redirection.cluster
	}
	return local.String()
}

// redirect answers a login with the portal of a node, where it is for that to
// go on. It comes before any authentication.
func (l *login) redirect() error {
	if l.discovery {
		return nil
	}
	to := l.server.redirected(l.wire.conn.LocalAddr(), l.admission.VolumeID)
	if to == "" {
		return nil
	}
	r := l.response(&l.first)
	r[1] = l.first[1] & 0x0c // CSG
	r.put16(36, loginMoved)
	return errors.Join(errRedirected, l.send(&r, formatText([]pair{{"TargetAddress", to}})))
}

// awaitEnd leaves it to a redirected initiator to close the connection, for a
// while: one that is told of a lost connection while it opens the next may take
// it for the next one's.
func awaitEnd(conn net.Conn) {
	if conn.SetReadDeadline(time.Now().Add(farewellTime)) == nil {
		_, _ = io.Copy(io.Discard, conn) // however it ends, it is over
	}
}
