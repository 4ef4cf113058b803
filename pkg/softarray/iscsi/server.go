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

// portalGroup is the tag of the one portal group.
const portalGroup = "1"

// Server is an iSCSI target node with one target a volume.
type Server struct {
	directory   Directory
	options     Options
	redirection redirection
	buffers     buffers
	tasks       sync.Pool // of *task
	guard       *guard

	mu         sync.Mutex
	conns      int
	logins     map[string]int     // under way, by host
	initiators map[string]int     // sessions, by name
	sessions   map[int64]*session // of volumes, by id
	handles    map[uint16]struct{}
	lastID     int64
	lastTSIH   uint16
}

// NewServer makes a server of d's targets.
func NewServer(d Directory, o Options) *Server {
	o = o.withDefaults()
	return &Server{
		directory: d, options: o, buffers: buffers{limit: o.MaxMemory}, guard: newGuard(),
		logins: map[string]int{}, initiators: map[string]int{}, sessions: map[int64]*session{}, handles: map[uint16]struct{}{},
	}
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
		if err := s.enter(hostOf(conn.RemoteAddr())); err != nil {
			klog.InfoS("iSCSI connection refused", "initiatorAddr", conn.RemoteAddr(), "portal", conn.LocalAddr(), "reason", err)
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

// handle serves one connection from login to its last command.
func (s *Server) handle(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	logger := klog.FromContext(ctx).WithValues("initiatorAddr", conn.RemoteAddr(), "portal", conn.LocalAddr())
	ctx = klog.NewContext(ctx, logger)
	n, err := s.login(ctx, conn)
	if errors.Is(err, errRedirected) {
		awaitEnd(conn)
	}
	s.loggedIn(hostOf(conn.RemoteAddr()))
	switch {
	case errors.Is(err, errRedirected):
		logger.V(2).Info("iSCSI login redirected")
		return
	case errors.Is(err, errUnused):
		logger.V(4).Info("Portal was looked at")
		return
	case err != nil:
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

// Drop logs matching sessions out by force: what waits in them is aborted, the
// initiators are told, their connections closed. It does not wait: a session
// leaves Sessions when its commands have ended.
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
