package iscsi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Login stages (RFC 7143 §11.12.3).
const (
	stageSecurity    = 0
	stageOperational = 1
	stageFullFeature = 3
)

const (
	maxLoginPDUs = 64
	// firstStatSN is the status number of the first login response.
	firstStatSN = 1
)

// Login status: class and detail (RFC 7143 §11.13.5).
const (
	loginMoved              = 0x0101 // temporarily
	loginInitiatorError     = 0x0200
	loginAuthFailed         = 0x0201
	loginForbidden          = 0x0202
	loginNotFound           = 0x0203
	loginVersion            = 0x0205
	loginTooManyConnections = 0x0206
	loginMissingParameter   = 0x0207
	loginSessionType        = 0x0209
	loginNoSession          = 0x020a
	loginInvalidRequest     = 0x020b
	loginTargetError        = 0x0300
	loginResources          = 0x0302
)

// loginError ends a login with a status for the initiator.
type loginError struct {
	status uint16
	reason error
}

func (e *loginError) Error() string { return fmt.Sprintf("login status %#04x: %v", e.status, e.reason) }
func (e *loginError) Unwrap() error { return e.reason }

func refuse(status uint16, format string, args ...any) error {
	return &loginError{status, fmt.Errorf(format, args...)}
}

// errUnused: the initiator only looked whether the portal answers.
var errUnused = errors.New("connection closed before a login")

// login is a login phase under way (RFC 7143 §6).
type login struct {
	server *Server
	wire   *wire
	first  header // the first request
	stage  byte
	statSN uint32
	text   []byte // of requests with the C bit
	params params
	seen   map[string]bool

	initiator, target string
	discovery         bool
	admission         *Admission
	auth              auth
	declared, tagged  bool
}

// login takes a connection to full feature phase.
func (s *Server) login(ctx context.Context, conn net.Conn) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.LoginTimeout)
	defer cancel()
	if err := conn.SetReadDeadline(time.Now().Add(s.options.LoginTimeout)); err != nil {
		return nil, err
	}
	l := &login{server: s, wire: newWire(conn, s.options.StallTimeout), statSN: firstStatSN, params: defaults(), seen: map[string]bool{}}
	defer func() { l.auth.chap.end() }()
	n, err := l.run(ctx)
	if err != nil {
		return nil, errors.Join(err, l.tell(err))
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		s.remove(n)
		return nil, err
	}
	return n, nil
}

func (l *login) run(ctx context.Context) (*session, error) {
	for count := range maxLoginPDUs {
		h, pairs, whole, err := l.receive(count == 0)
		if count == 0 && errors.Is(err, io.EOF) {
			return nil, errUnused
		}
		if err != nil {
			return nil, err
		}
		if !whole {
			if err := l.respond(h, nil, false); err != nil {
				return nil, err
			}
			continue
		}
		if l.initiator == "" {
			if err := l.identify(pairs); err != nil {
				return nil, err
			}
		}
		answers, err := l.negotiate(pairs)
		if err != nil {
			return nil, err
		}
		transit, err := l.mayLeave(h)
		if err != nil {
			return nil, err
		}
		if transit && h[1]&3 == stageFullFeature {
			return l.finish(ctx, h, answers)
		}
		if err := l.respond(h, answers, transit); err != nil {
			return nil, err
		}
	}
	return nil, refuse(loginInitiatorError, "more than %d requests", maxLoginPDUs)
}

// receive reads one request. whole is false where more of its text follows.
func (l *login) receive(first bool) (h *header, pairs []pair, whole bool, err error) {
	h = new(header)
	if err := l.wire.readHeader(h); err != nil {
		return nil, nil, false, err
	}
	if h.opcode() != opLoginRequest {
		return nil, nil, false, fmt.Errorf("opcode %#02x before full feature phase", h.opcode())
	}
	data, err := l.wire.readShort(h, loginSegment)
	if err != nil {
		return nil, nil, false, err
	}
	if first {
		l.first, l.stage = *h, h[1]>>2&3
	}
	if err := l.check(h); err != nil {
		return nil, nil, false, err
	}
	if l.text = append(l.text, data...); len(l.text) > maxTextLen {
		return nil, nil, false, refuse(loginInitiatorError, "text of more than %d bytes", maxTextLen)
	}
	if h.continues() {
		return h, nil, false, nil
	}
	pairs, err = parseText(l.text)
	if err != nil {
		return nil, nil, false, refuse(loginInitiatorError, "login text: %w", err)
	}
	l.text = l.text[:0]
	return h, pairs, true, nil
}

// check holds a request's header to RFC 7143 §11.12.
func (l *login) check(h *header) error {
	csg, nsg := h[1]>>2&3, h[1]&3
	switch {
	case h[3] > 0: // VersionMin
		return refuse(loginVersion, "initiator wants version %d at least", h[3])
	case [8]byte(h[8:16]) != [8]byte(l.first[8:16]) || h.u32(20)>>16 != l.first.u32(20)>>16:
		return refuse(loginInvalidRequest, "ISID, TSIH or CID changed during login")
	case csg != l.stage || csg > stageOperational:
		return refuse(loginInvalidRequest, "stage %d while in stage %d", csg, l.stage)
	case h.final() && h.continues():
		return refuse(loginInvalidRequest, "both transit and continue")
	case h.final() && (nsg <= csg || nsg == 2):
		return refuse(loginInvalidRequest, "transit from stage %d to %d", csg, nsg)
	}
	return nil
}

// mayLeave says whether a transit that was asked for is granted. A security
// stage without any authentication ends here, or goes on.
func (l *login) mayLeave(h *header) (bool, error) {
	if l.stage == stageOperational || h.final() && !l.auth.pending() {
		if err := l.authorized(); err != nil {
			return false, err
		}
	}
	return h.final() && !l.auth.pending(), nil
}

// respond sends a login response (RFC 7143 §11.13).
func (l *login) respond(h *header, answers []pair, transit bool) error {
	r := l.response(h)
	r[1] = h[1] & 0x0c // CSG
	if transit {
		r[1] |= flagFinal | h[1]&3
		l.stage = h[1] & 3
	}
	return l.send(&r, formatText(answers))
}

func (l *login) response(h *header) header {
	r := newHeader(opLoginResponse, h.itt())
	copy(r[8:16], h[8:16]) // ISID, TSIH
	return r
}

func (l *login) send(r *header, data []byte) error {
	r.put32(24, l.statSN)
	l.statSN++
	r.put32(28, l.first.cmdSN())
	r.put32(32, l.first.cmdSN()+uint32(l.server.options.QueueDepth)-1)
	l.wire.out.mu.Lock()
	defer l.wire.out.mu.Unlock()
	if err := l.wire.out.put(r, data); err != nil {
		return err
	}
	return l.wire.out.send()
}

// tell answers a login that failed, if there is a status to tell.
func (l *login) tell(err error) error {
	var failed *loginError
	if !errors.As(err, &failed) {
		return nil
	}
	r := l.response(&l.first)
	r[1] = 0
	r.put16(36, failed.status)
	return l.send(&r, nil)
}
