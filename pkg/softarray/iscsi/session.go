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
	cid       uint16
	account   string // CHAP user, of a discovery session too
	admission *Admission
	nexus     *scsi.Nexus
	try       func(n int) bool // the throttle's, if it has one
	ended     chan struct{}    // closed when the session left the list

	lastPDU, lastCommand atomic.Int64
	lastData             atomic.Int64 // when a write that gathers its data got some
	gone                 atomic.Bool
	wg                   sync.WaitGroup
	ctx                  context.Context // of the commands; ends with the connection
	cancel               context.CancelFunc

	// Guarded by the wire's outbox, as they go with the order of the stream.
	statSN      uint32
	sendSegment int // the initiator's MaxRecvDataSegmentLength, bytes

	mu        sync.Mutex // taken after the outbox's, never before
	expCmdSN  uint32
	inFlight  int   // commands that count against the window
	immediate int   // commands that do not
	functions int   // task management functions under way
	gathering int   // writes that wait for data
	dataOut   int64 // bytes of writes under way
	tasks     map[uint32]*task
	arrivals  uint64
	ordered   int // ORDERED tasks
	queue     []*task
	draining  bool

	// The reader's own.
	heard   time.Time // when the last PDU came
	nextTTT uint32
	text    exchange
}

func newSession(s *Server, w *wire, p params, info Session, cmdSN uint32) *session {
	n := &session{
		server: s, wire: w, params: p, info: info, sendSegment: p.sendSegment,
		expCmdSN: cmdSN, tasks: map[uint32]*task{}, ended: make(chan struct{}), text: exchange{tag: noTag},
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

var (
	// errLogout ends the reader after a logout.
	errLogout  = errors.New("logout")
	errDropped = errors.New("dropped by the array")
)

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
	if n.dropped() {
		err = errors.Join(errDropped, n.sayFarewell())
	}
	n.wire.conn.Close()
	n.abort(func(*task) bool { return true })
	n.wg.Wait()
	n.endText()
	n.wire.out.discard()
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, errLogout) {
		return nil
	}
	return err
}

// read handles PDUs one after the other. Commands that need not wait are run
// here: to hand them to another goroutine costs more than the I/O.
func (n *session) read() error {
	var h header
	for !n.dropped() {
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
	return errDropped
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
		return errors.Join(n.rejectAll(h, rejectProtocol), n.wire.out.flush(), errors.New("login request in full feature phase"))
	default:
		return n.rejectAll(h, rejectUnsupported)
	}
}

// discoveryAllows: RFC 7143 §4.3, a discovery session takes text and logout.
func discoveryAllows(opcode byte) bool {
	return opcode == opTextRequest || opcode == opLogout || opcode == opNopOut
}
