package iscsi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"k8s.io/klog/v2"
)

// Options are the server's limits; a zero value takes the default.
type Options struct {
	// LoginTimeout bounds a login from accept to full feature phase; 15 s.
	LoginTimeout time.Duration
	// NopInterval is how long a peer may be silent before it is pinged, and
	// NopTimeout how much longer before its connection is closed; 30 s each.
	NopInterval, NopTimeout time.Duration
	// QueueDepth is how many commands a session may have in flight; 128.
	QueueDepth int
	// MaxConnections bounds the connections of all listeners together; 4096.
	MaxConnections int
	// MaxDataOut bounds the bytes of writes that a session may have under way;
	// what is above is answered TASK SET FULL; 256 MiB.
	MaxDataOut int64
}

func (o Options) withDefaults() Options {
	o.LoginTimeout = cmp.Or(o.LoginTimeout, 15*time.Second)
	o.NopInterval = cmp.Or(o.NopInterval, 30*time.Second)
	o.NopTimeout = cmp.Or(o.NopTimeout, 30*time.Second)
	o.QueueDepth = cmp.Or(o.QueueDepth, 128)
	o.MaxConnections = cmp.Or(o.MaxConnections, 4096)
	o.MaxDataOut = cmp.Or(o.MaxDataOut, 256<<20)
	return o
}

// portalGroup is the tag of the one portal group.
const portalGroup = "1"

// Server is an iSCSI target node with one target a volume.
type Server struct {
	directory Directory
	options   Options
	buffers   buffers

	mu       sync.Mutex
	conns    int
	sessions map[int64]*session
	lastID   int64
	lastTSIH uint16
}

// NewServer makes a server of d's targets.
func NewServer(d Directory, o Options) *Server {
	return &Server{directory: d, options: o.withDefaults(), sessions: map[int64]*session{}}
}

// Serve accepts connections until ctx ends, then closes l and every connection
// that came in on it and returns when the last command has ended. It returns
// nil then, and an error where accepting fails for good.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return nil
		}
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("accept on %s: %w", l.Addr(), err)
			}
			klog.ErrorS(err, "Accepting an iSCSI connection failed", "portal", l.Addr())
			if err := pause(ctx, 50*time.Millisecond); err != nil {
				return nil
			}
			continue
		}
		if !s.enter() {
			klog.InfoS("Too many iSCSI connections", "limit", s.options.MaxConnections, "initiator", conn.RemoteAddr())
			conn.Close()
			continue
		}
		wg.Go(func() {
			defer s.leave()
			s.handle(ctx, conn)
		})
	}
}

// pause lets a shortage, of file descriptors for one, pass.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns >= s.options.MaxConnections {
		return false
	}
	s.conns++
	return true
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns--
}

// handle serves one connection from login to its last command.
func (s *Server) handle(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	logger := klog.FromContext(ctx).WithValues("initiatorAddr", conn.RemoteAddr(), "portal", conn.LocalAddr())
	ctx = klog.NewContext(ctx, logger)
	n, err := s.login(ctx, conn)
	if err != nil {
		logger.Info("iSCSI login failed", "err", err)
		return
	}
	defer s.remove(n)
	logger.V(2).Info("iSCSI session begins", "session", n.info.ID, "initiator", n.info.InitiatorName, "target", n.info.TargetName)
	err = n.run(ctx)
	logger.V(2).Info("iSCSI session ends", "session", n.info.ID, "initiator", n.info.InitiatorName, "target", n.info.TargetName, "reason", err)
}

// Sessions are the sessions of volumes, oldest first. A session is listed until
// its last command in flight has ended. Discovery sessions are not.
func (s *Server) Sessions() []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Session, 0, len(s.sessions))
	for _, n := range s.sessions {
		list = append(list, n.snapshot())
	}
	slices.SortFunc(list, func(a, b Session) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// Drop closes the connections of matching sessions and aborts what waits in
// them. It does not wait: a session leaves Sessions when its commands have ended.
func (s *Server) Drop(match func(Session) bool) {
	for _, n := range s.matching(func(n *session) bool { return match(n.snapshot()) }) {
		n.drop()
	}
}

func (s *Server) matching(match func(*session) bool) []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*session
	for _, n := range s.sessions {
		if match(n) {
			found = append(found, n)
		}
	}
	return found
}

// add lists a session under a new id and TSIH (RFC 7143 §11.12.6) and returns
// the one it reinstates: same initiator, ISID and target (§6.3.5).
func (s *Server) add(n *session) (old *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.sessions {
		if other.info.ISID == n.info.ISID && other.info.InitiatorName == n.info.InitiatorName && other.info.TargetName == n.info.TargetName {
			old = other
		}
	}
	s.lastID++
	n.info.ID, n.info.TSIH = s.lastID, s.freeTSIH()
	s.sessions[n.info.ID] = n
	return old
}

func (s *Server) freeTSIH() uint16 {
	for {
		s.lastTSIH++
		if s.lastTSIH != 0 && !s.inUse(s.lastTSIH) {
			return s.lastTSIH
		}
	}
}

func (s *Server) inUse(tsih uint16) bool {
	for _, n := range s.sessions {
		if n.info.TSIH == tsih {
			return true
		}
	}
	return false
}

// remove takes a session that has ended off the list.
func (s *Server) remove(n *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, n.info.ID)
	close(n.ended)
}

// hasTSIH says whether a session with that handle exists.
func (s *Server) hasTSIH(tsih uint16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inUse(tsih)
}
