package iscsi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/san-csi/san-csi/pkg/softarray/scsi"
)

// Session is a session of a volume, as it is listed.
type Session struct {
	ID                            int64
	ISID                          uint64 // 48 bits
	TSIH                          uint16
	InitiatorName, TargetName     string
	InitiatorAddr, TargetAddr     string // host:port
	VolumeID, AccountID           int64
	AccountName                   string
	AuthMethod                    string // CHAP or None
	CHAPAlgorithm, CHAPUser       string
	CHAPDirection                 string // one-way or two-way
	Created, LastPDU, LastCommand time.Time
	Outstanding                   int // commands that came and have not ended
}

// session is one session and its only connection in full feature phase.
type session struct {
	server    *Server
	wire      *wire
	params    params
	info      Session
	account   string // CHAP user, of a discovery session too
	admission *Admission
	nexus     *scsi.Nexus
	try       func(n int) bool // the throttle's, if it has one
	ended     chan struct{}    // closed when the session left the list

	lastPDU, lastCommand atomic.Int64
	gone                 atomic.Bool
	wg                   sync.WaitGroup
	ctx                  context.Context // of the commands; ends with the connection
	cancel               context.CancelFunc

	statSN uint32 // guarded by wire.mu

	mu        sync.Mutex // taken after wire.mu, never before
	expCmdSN  uint32
	inFlight  int   // commands that count against the window
	immediate int   // commands that do not
	dataOut   int64 // bytes of writes under way
	tasks     map[uint32]*task
	arrivals  uint64
	ordered   int // ORDERED tasks
	queue     []*task
	draining  bool

	// The reader's own.
	heard   time.Time // when the last PDU came
	nextTTT uint32
	textIn  []byte
	textOut []byte
	textTag uint32
}

func newSession(s *Server, w *wire, p params, info Session, cmdSN uint32) *session {
	n := &session{
		server: s, wire: w, params: p, info: info,
		expCmdSN: cmdSN, tasks: map[uint32]*task{}, ended: make(chan struct{}), textTag: noTag,
	}
	// The context is the session's own and not a request's: it bounds commands
	// that outlive the call that read them.
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.lastPDU.Store(info.Created.UnixNano())
	return n
}

// snapshot is the session as it is now. The caller holds the server's lock.
func (n *session) snapshot() Session {
	info := n.info
	info.LastPDU = time.Unix(0, n.lastPDU.Load())
	if at := n.lastCommand.Load(); at != 0 {
		info.LastCommand = time.Unix(0, at)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	info.Outstanding = len(n.tasks)
	return info
}

// drop ends the session from outside: its reader fails and cleans up.
func (n *session) drop() {
	n.gone.Store(true)
	n.cancel()
	n.wire.conn.Close()
}

func (n *session) dropped() bool { return n.gone.Load() }

// errLogout ends the reader after a logout.
var errLogout = errors.New("logout")

// run serves the session until its connection ends, and returns when its last
// command has.
func (n *session) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, n.cancel)
	defer stop()
	if n.admission != nil {
		n.nexus = n.admission.LUN.Attach(scsi.InitiatorPort{Name: n.info.InitiatorName, ISID: n.info.ISID}, n)
		defer n.nexus.Detach()
		if t, ok := n.admission.Throttle.(interface{ TryAdmit(n int) bool }); ok {
			n.try = t.TryAdmit
		}
	}
	n.wg.Go(n.keepAlive)
	err := n.read()
	n.cancel()
	n.wire.conn.Close()
	n.abort(func(*task) bool { return true })
	n.wg.Wait()
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, errLogout) {
		return nil
	}
	return err
}

// read handles PDUs one after the other. Commands that need not wait are run
// here: to hand them to another goroutine costs more than the I/O.
func (n *session) read() error {
	var h header
	for {
		if err := n.wire.readHeader(&h); err != nil {
			return err
		}
		n.heard = time.Now()
		n.lastPDU.Store(n.heard.UnixNano())
		if h.dataLen() > recvSegment {
			return fmt.Errorf("opcode %#02x, %d bytes of at most %d: %w", h.opcode(), h.dataLen(), recvSegment, errTooLong)
		}
		if err := n.handle(&h); err != nil {
			return err
		}
	}
}

func (n *session) handle(h *header) error {
	if n.admission == nil && !discoveryAllows(h.opcode()) {
		return n.rejectAll(h, rejectProtocol)
	}
	switch h.opcode() {
	case opSCSICommand:
		return n.onCommand(h)
	case opDataOut:
		return n.onDataOut(h)
	case opNopOut:
		return n.onNopOut(h)
	case opTaskRequest:
		return n.onTaskRequest(h)
	case opTextRequest:
		return n.onText(h)
	case opLogout:
		return n.onLogout(h)
	case opSNACK:
		return n.rejectAll(h, rejectSNACK)
	case opLoginRequest:
		return errors.Join(n.rejectAll(h, rejectProtocol), errors.New("login request in full feature phase"))
	default:
		return n.rejectAll(h, rejectUnsupported)
	}
}

// discoveryAllows: RFC 7143 §4.3, a discovery session takes text and logout.
func discoveryAllows(opcode byte) bool {
	return opcode == opTextRequest || opcode == opLogout || opcode == opNopOut
}

// inOrder holds a PDU's CmdSN to the window (RFC 7143 §4.2.2.1). Outside of it
// the PDU is ignored: take is false. A gap cannot be filled on the only
// connection at error recovery level 0 and ends the session.
func (n *session) inOrder(h *header, command bool) (take bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h.immediate() {
		return true, nil
	}
	sn := h.cmdSN()
	if before(sn, n.expCmdSN) || before(n.maxCmdSN(), sn) {
		return false, nil
	}
	if sn != n.expCmdSN {
		return false, fmt.Errorf("CmdSN %d while %d is expected", sn, n.expCmdSN)
	}
	n.expCmdSN++
	if command {
		n.inFlight++
	}
	return true, nil
}

// maxCmdSN is the end of the window: it moves as commands end. The caller
// holds n.mu.
func (n *session) maxCmdSN() uint32 {
	return n.expCmdSN + uint32(n.server.options.QueueDepth-n.inFlight) - 1
}

// numbered sends a PDU that has a status number of its own.
func (n *session) numbered(h *header, data []byte) error {
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	return n.putNumbered(h, data)
}

// putNumbered is numbered for a caller that holds wire.mu.
func (n *session) putNumbered(h *header, data []byte) error {
	h.put32(24, n.statSN)
	n.statSN++
	return n.putWindow(h, data)
}

// putWindow stamps the command window and writes. The caller holds wire.mu.
func (n *session) putWindow(h *header, data []byte) error {
	n.mu.Lock()
	h.put32(28, n.expCmdSN)
	h.put32(32, n.maxCmdSN())
	n.mu.Unlock()
	return n.wire.put(h, data)
}

// reject answers a PDU with Reject and its header (RFC 7143 §11.17).
func (n *session) reject(h *header, reason byte) error {
	r := newHeader(opReject, noTag)
	r[2] = reason
	return n.numbered(r, h[:])
}

// rejectAll rejects a PDU whose data has not been read.
func (n *session) rejectAll(h *header, reason byte) error {
	if err := n.wire.skipData(h.dataLen()); err != nil {
		return err
	}
	return n.reject(h, reason)
}
