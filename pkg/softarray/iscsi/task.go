package iscsi

import (
	"context"
	"slices"
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

// add lists a task. Its tag must be free, but for one whose response is out.
func (n *session) add(t *task) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if other := n.tasks[t.itt]; other != nil && other.state != answering {
		return false
	}
	n.arrivals++
	t.arrival = n.arrivals
	n.tasks[t.itt] = t
	if t.attribute == attrOrdered {
		n.ordered++
	}
	if t.immediate {
		n.immediate++
	}
	return true
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
		t.state = held
		n.mu.Unlock()
		return
	}
	t.state = running
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

// admitted says whether an I/O of size bytes may pass the throttle at once. It
// may not pass one that waits.
func (n *session) admitted(size int) bool {
	if n.try == nil {
		return false
	}
	n.mu.Lock()
	waiting := n.draining
	n.mu.Unlock()
	return !waiting && n.try(size)
}

// enqueue lets a task wait for the throttle, in the order of arrival.
func (n *session) enqueue(t *task) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if t.state == over {
		return
	}
	t.state = queued
	n.queue = append(n.queue, t)
	if !n.draining {
		n.draining = true
		n.wg.Go(n.drain)
	}
}

// drain admits and runs the tasks that wait, until there are none.
func (n *session) drain() {
	for {
		n.mu.Lock()
		if len(n.queue) == 0 {
			n.queue, n.draining = nil, false
			n.mu.Unlock()
			n.flush()
			return
		}
		t := n.queue[0]
		n.queue[0] = nil
		n.queue = n.queue[1:]
		ctx, cancel := context.WithCancel(n.ctx)
		t.state, t.cancel = running, cancel
		n.mu.Unlock()
		n.admitAndRun(ctx, t)
		cancel()
	}
}

func (n *session) admitAndRun(ctx context.Context, t *task) {
	if t.cmd.Media > 0 && n.admission.Throttle != nil && (n.try == nil || !n.try(t.cmd.Media)) {
		n.flush()
		if err := n.admission.Throttle.Admit(ctx, t.cmd.Media); err != nil {
			n.end(t)
			return
		}
	}
	if t.cmd.Waits {
		n.wg.Go(func() { n.runAndFlush(t) })
		return
	}
	n.carryOut(t)
}

func (n *session) runAndFlush(t *task) {
	n.carryOut(t)
	n.flush()
}

// flush sends what is pending. An error shows at the reader too.
func (n *session) flush() {
	if err := n.wire.flush(); err != nil {
		n.wire.conn.Close()
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
	var data []byte
	if t.cmd.DataIn > 0 {
		in = n.server.buffers.get(t.cmd.DataIn)
		data = in.b
	}
	var out []byte
	if t.out != nil {
		out = t.out.b[:t.need]
	}
	n.finish(t, t.cmd.Run(data, out))
	n.server.buffers.put(in)
	n.server.buffers.put(t.out)
}

// finish answers a task and takes it off the list.
func (n *session) finish(t *task, reply scsi.Reply) {
	n.mu.Lock()
	if t.aborted {
		n.mu.Unlock()
		n.end(t)
		return
	}
	t.state = answering
	n.release(t)
	n.mu.Unlock()
	n.count(t, reply.Status)
	if err := n.respond(t, reply); err != nil {
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
// it held back.
func (n *session) end(t *task) {
	n.mu.Lock()
	freed := n.unlist(t)
	n.mu.Unlock()
	for _, t := range freed {
		n.enqueue(t)
	}
}

// unlist does the work of end, once. The caller holds n.mu.
func (n *session) unlist(t *task) (freed []*task) {
	if t.state == over {
		return nil
	}
	if t.state != answering {
		n.release(t)
	}
	t.state = over
	if n.tasks[t.itt] == t {
		delete(n.tasks, t.itt)
	}
	if t.ended != nil {
		close(t.ended)
	}
	if n.ordered == 0 {
		return nil
	}
	if t.attribute == attrOrdered {
		n.ordered--
	}
	for _, other := range n.tasks {
		if other.state == held && !other.aborted && !n.mustWait(other) {
			other.state = running
			freed = append(freed, other)
		}
	}
	slices.SortFunc(freed, func(a, b *task) int { return int(a.arrival) - int(b.arrival) })
	return freed
}

// abort ends matching tasks without a response: those that wait at once, those
// that run as soon as the disk is done. It returns what to wait for.
func (n *session) abort(match func(*task) bool) (busy []<-chan struct{}) {
	n.mu.Lock()
	var freed []*task
	for _, t := range n.tasks {
		if !match(t) {
			continue
		}
		if t.state != answering {
			t.aborted = true
		}
		if i := slices.Index(n.queue, t); t.state == queued && i >= 0 {
			n.queue = slices.Delete(n.queue, i, i+1)
		}
		if t.state < running {
			freed = append(freed, n.unlist(t)...)
			continue
		}
		if t.cancel != nil {
			t.cancel()
		}
		if t.ended == nil {
			t.ended = make(chan struct{})
		}
		busy = append(busy, t.ended)
	}
	freed = slices.DeleteFunc(freed, func(t *task) bool { return t.aborted })
	n.mu.Unlock()
	for _, t := range freed {
		n.enqueue(t)
	}
	return busy
}
