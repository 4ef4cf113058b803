package iscsi

import (
	"fmt"
	"net"
)

// hostOf is an address without its port.
func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}

// enter counts a connection that begins to log in, and refuses one too many.
func (s *Server) enter(host string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns >= s.options.MaxConnections {
		return fmt.Errorf("%d connections at most", s.options.MaxConnections)
	}
	if s.logins[host] >= s.options.MaxLogins {
		return fmt.Errorf("%d logins at most from %s", s.options.MaxLogins, host)
	}
	s.conns++
	s.logins[host]++
	return nil
}

// loggedIn tells that a login from host is over, however it went.
func (s *Server) loggedIn(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	decrement(s.logins, host)
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns--
}

// decrement keeps only what is counted at all.
func decrement[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}

// add counts a session, lists one of a volume under a new id and TSIH (RFC 7143
// §11.12.6), and returns the one it reinstates: same initiator, ISID and target
// (§6.3.5). remove undoes it.
func (s *Server) add(n *session) (old *session, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.initiators[n.info.InitiatorName]++
	if s.initiators[n.info.InitiatorName] > s.options.MaxSessions {
		return nil, refuse(loginResources, "initiator %q: %d sessions at most", n.info.InitiatorName, s.options.MaxSessions)
	}
	if n.admission == nil {
		n.info.TSIH = 1 // any but 0: discovery sessions are not looked up
		return nil, nil
	}
	for _, other := range s.sessions {
		if other.info.ISID == n.info.ISID && other.info.InitiatorName == n.info.InitiatorName && other.info.TargetName == n.info.TargetName {
			old = other
		}
	}
	if n.info.TSIH = s.freeTSIH(); n.info.TSIH == 0 {
		return nil, refuse(loginResources, "%d sessions at most", len(s.handles))
	}
	s.lastID++
	n.info.ID = s.lastID
	s.sessions[n.info.ID] = n
	s.handles[n.info.TSIH] = struct{}{}
	return old, nil
}

// freeTSIH is 0 where none is free.
func (s *Server) freeTSIH() uint16 {
	for range 1 << 16 {
		s.lastTSIH++
		if _, used := s.handles[s.lastTSIH]; s.lastTSIH != 0 && !used {
			return s.lastTSIH
		}
	}
	return 0
}

// remove takes a session that has ended off the list.
func (s *Server) remove(n *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	decrement(s.initiators, n.info.InitiatorName)
	if s.sessions[n.info.ID] == n {
		delete(s.sessions, n.info.ID)
		delete(s.handles, n.info.TSIH)
	}
	close(n.ended)
}

// hasTSIH says whether a session with that handle exists.
func (s *Server) hasTSIH(tsih uint16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, exists := s.handles[tsih]
	return exists
}
