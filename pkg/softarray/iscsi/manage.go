package iscsi

// Task management functions and responses (RFC 7143 §11.5.1, §11.6.1).
const (
	tmfAbortTask    = 1
	tmfAbortTaskSet = 2
	tmfClearTaskSet = 4
	tmfLUNReset     = 5
	tmfWarmReset    = 6
	tmfColdReset    = 7
	tmfReassign     = 8
)

const (
	tmfComplete     = 0
	tmfNoTask       = 1
	tmfNoLUN        = 2
	tmfNoReassign   = 4
	tmfNotSupported = 5
)

// onTaskRequest takes a Task Management Function Request. Its answer follows
// the end of the commands that it aborts, which may take as long as the disk.
func (n *session) onTaskRequest(h *header) error {
	if err := n.wire.skipData(h.dataLen()); err != nil {
		return err
	}
	if take, err := n.expected(h); err != nil || !take {
		return err
	}
	if n.tooManyFunctions() {
		return n.reject(h, rejectTooMany)
	}
	if _, err := n.inOrder(h); err != nil {
		return err
	}
	f := function{code: h[1] & 0x7f, itt: h.itt()}
	response, running := n.manage(f.code, h)
	if len(running) == 0 && f.code != tmfColdReset {
		return n.conclude(f, response)
	}
	n.countFunction(1)
	n.wg.Go(func() {
		defer n.countFunction(-1)
		for _, ended := range running {
			<-ended
		}
		if n.conclude(f, response) == nil {
			n.flush()
		}
		if f.code == tmfColdReset {
			n.dropTarget()
		}
	})
	return nil
}

// function is a task management function under way.
type function struct {
	code byte
	itt  uint32
}

func (f function) resets() bool {
	return f.code == tmfLUNReset || f.code == tmfWarmReset || f.code == tmfColdReset
}

// conclude answers a function whose tasks have ended.
func (n *session) conclude(f function, response byte) error {
	if response == tmfComplete && f.resets() {
		n.admission.LUN.Reset()
	}
	r := newHeader(opTaskResponse, f.itt)
	r[2] = response
	return n.numbered(&r, nil)
}

func (n *session) countFunction(change int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.functions += change
}

func (n *session) tooManyFunctions() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.functions >= maxFunctions
}

// manage aborts what a function names.
func (n *session) manage(function byte, h *header) (code byte, running []<-chan struct{}) {
	targetWide := function == tmfWarmReset || function == tmfColdReset
	if h.lun() != 0 && !targetWide {
		return tmfNoLUN, nil
	}
	switch function {
	case tmfAbortTask:
		tag, found := h.ttt(), false
		running = n.abort(func(t *task) bool {
			match := t.itt == tag && t.lun == h.lun()
			found = found || match
			return match
		})
		if !found && !n.plug(h.u32(32), h.cmdSN()) {
			return tmfNoTask, nil
		}
	case tmfAbortTaskSet, tmfClearTaskSet: // one task set for each nexus
		running = n.abort(func(t *task) bool { return t.lun == 0 })
	case tmfLUNReset, tmfWarmReset, tmfColdReset:
		for _, other := range n.sameTarget() {
			running = append(running, other.abort(func(*task) bool { return true })...)
		}
	case tmfReassign:
		return tmfNoReassign, nil
	default:
		return tmfNotSupported, nil
	}
	return tmfComplete, running
}

// sameTarget are the sessions of this target, this one included.
func (n *session) sameTarget() []*session {
	return n.server.matching(func(other *session) bool { return other.info.TargetName == n.info.TargetName })
}

func (n *session) dropTarget() {
	for _, other := range n.sameTarget() {
		other.drop()
	}
}

// AbortTasks ends all commands without an answer, as PREEMPT AND ABORT of
// another initiator does (SPC-4 §5.12.11.5). It waits for those alone that may
// be touching the medium, as two of them must not wait for each other.
func (n *session) AbortTasks() {
	touching := func(t *task) bool { return t.state >= running && t.cmd.Media > 0 }
	n.abort(func(t *task) bool { return !touching(t) })
	for _, ended := range n.abort(touching) {
		<-ended
	}
}
