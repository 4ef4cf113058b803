package iscsi

import (
	"context"
	"time"

	"github.com/san-csi/san-csi/pkg/softarray/scsi"
)

// Task attributes (RFC 7143 §11.3.1).
const (
	attrOrdered     = 2
	attrHeadOfQueue = 3
)

// task is one SCSI command from its PDU to its response.
type task struct {
	itt       uint32
	lun       uint64
	immediate bool
	reads     bool // R bit
	writes    bool // W bit
	attribute byte
	expected  int // expected data transfer length, bytes
	arrived   time.Time
	arrival   uint64
	cmd       scsi.Command

	// Data-Out, the reader's own until the task is ready.
	out         *buffer
	need        int // bytes the command takes of what is offered
	got         int
	unsolicited bool // more unsolicited data is to come
	dataSN      uint32
	asked       int // end of what R2Ts asked for
	r2tSN       uint32
	r2ts        []transfer
	spoiled     bool // some of the data had a wrong digest

	// Guarded by the session's mu.
	state    state
	aborted  bool
	reserved int64         // bytes of the session's Data-Out buffers
	ended    chan struct{} // made by who waits for the end
	cancel   context.CancelFunc
}

// transfer is one R2T that is outstanding.
type transfer struct {
	ttt       uint32
	next, end int
	dataSN    uint32
}

// state of a task.
type state int

const (
	gathering state = iota // its data is coming in
	held                   // waits for other tasks of the set
	queued                 // waits for the throttle
	running                // is, or will be, carried out
	answering              // its response is being sent
	over                   // off the list
)

// newTask takes a task from the pool.
func (s *Server) newTask() *task {
	if t, ok := s.tasks.Get().(*task); ok {
		return t
	}
	return new(task)
}

// recycle gives a task that nobody refers to any more, and its data, back.
func (s *Server) recycle(t *task) {
	t.out.release()
	*t = task{r2ts: t.r2ts[:0]}
	s.tasks.Put(t)
}

// taken says that a tag belongs to a task whose response is not out yet.
func (n *session) taken(itt uint32) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.tasks[itt]
	return t != nil && t.state != answering
}

// add lists a task and takes its place in the window.
func (n *session) add(t *task) {
	n.lastData.Store(n.lastPDU.Load())
	n.mu.Lock()
	defer n.mu.Unlock()
	n.arrivals++
	t.arrival = n.arrivals
	n.tasks[t.itt] = t
	n.gathering++
	if t.attribute == attrOrdered {
		n.ordered++
	}
	if t.immediate {
		n.immediate++
		return
	}
	n.expCmdSN++
	n.inFlight++
}

// withdraw ends a task as if its command had not been received.
func (n *session) withdraw(t *task) {
	n.mu.Lock()
	if t.state != over && !t.immediate {
		n.expCmdSN--
	}
	n.mu.Unlock()
	n.end(t)
}

// enter moves a task to another state. The caller holds n.mu.
func (n *session) enter(t *task, s state) {
	if t.state == gathering {
		n.gathering--
	}
	t.state = s
}

// ready starts a task that has its data, unless an ORDERED task is in the way.
func (n *session) ready(t *task) {
	n.mu.Lock()
	if t.aborted {
		n.mu.Unlock()
		return
	}
	if t.out != nil {
		t.cmd.Received(t.out.b[:t.need])
	}
	if n.mustWait(t) {
		n.enter(t, held)
		n.mu.Unlock()
		return
	}
	n.enter(t, running)
	n.mu.Unlock()
	n.launch(t)
}

// mustWait: an ORDERED task waits for all older ones, and every other but HEAD
// OF QUEUE for an older ORDERED one (SAM-5 §8.6). The caller holds n.mu.
func (n *session) mustWait(t *task) bool {
	if n.ordered == 0 || t.attribute == attrHeadOfQueue {
		return false
	}
	for _, other := range n.tasks {
		if other.arrival < t.arrival && (t.attribute == attrOrdered || other.attribute == attrOrdered) {
			return true
		}
	}
	return false
}

// launch runs a task here, or hands it on where it has to wait.
func (n *session) launch(t *task) {
	switch {
	case t.cmd.Media > 0 && n.admission.Throttle != nil && !n.admitted(t.cmd.Media):
		n.enqueue(t)
	case t.cmd.Waits:
		n.wg.Go(func() { n.runAndFlush(t) })
	default:
		n.carryOut(t)
	}
}

// carryOut carries one task out and answers it, unless it has been aborted.
func (n *session) carryOut(t *task) {
	n.mu.Lock()
	aborted := t.aborted
	n.mu.Unlock()
	if aborted {
		n.end(t)
		return
	}
	var in *buffer
	var data, out []byte
	if t.cmd.DataIn > 0 {
		if in = n.server.buffers.get(t.cmd.DataIn); in == nil {
			n.finish(t, scsi.Reply{Status: scsi.StatusTaskSetFull}, nil)
			return
		}
		data = in.b
	}
	if t.out != nil {
		out = t.out.b[:t.need]
	}
	n.finish(t, t.cmd.Run(data, out), in)
}

// finish answers a task and takes it off the list. in has the reply's data.
func (n *session) finish(t *task, reply scsi.Reply, in *buffer) {
	n.mu.Lock()
	if t.aborted {
		n.mu.Unlock()
		in.release()
		n.end(t)
		return
	}
	n.enter(t, answering)
	n.release(t)
	n.mu.Unlock()
	n.count(t, reply.Status)
	if err := n.respond(t, reply, in); err != nil {
		n.wire.conn.Close()
	}
	n.end(t)
}

// count tells the meter of a task that ended well.
func (n *session) count(t *task, status scsi.Status) {
	if t.cmd.Media > 0 && status == scsi.StatusGood && n.admission.Meter != nil {
		n.admission.Meter.Served(t.writes, t.cmd.Media, t.arrived, time.Now())
	}
}

// release gives a task's place in the window back. The caller holds n.mu.
func (n *session) release(t *task) {
	if t.immediate {
		n.immediate--
	} else {
		n.inFlight--
	}
	n.dataOut -= t.reserved
	t.reserved = 0
}

// end takes a task off the list, tells who waits for it, and starts tasks that
// it held back. One that was aborted while its data came in is over already,
// and not reused: the reader may still be at it.
func (n *session) end(t *task) {
	n.mu.Lock()
	if t.state == over {
		n.mu.Unlock()
		return
	}
	freed := n.unlist(t)
	n.mu.Unlock()
	for _, other := range freed {
		n.enqueue(other)
	}
	n.server.recycle(t)
}
