package iscsi

import (
	"cmp"
	"context"
	"slices"
)

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
	if err := n.wire.out.flush(); err != nil {
		n.wire.conn.Close()
	}
}

// unlist takes a task off the list and returns those that it held back. The
// caller holds n.mu.
func (n *session) unlist(t *task) (freed []*task) {
	if t.state != answering {
		n.release(t)
	}
	n.enter(t, over)
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
	slices.SortFunc(freed, func(a, b *task) int { return cmp.Compare(a.arrival, b.arrival) })
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
			t.out.forget()
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
