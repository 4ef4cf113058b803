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
	take, err := n.inOrder(h, false)
	if err != nil || !take {
		return err
	}
	function := h[1] & 0x7f
	code, running := n.manage(function, h)
	itt := h.itt()
	done := func() error {
		if code == tmfComplete && (function == tmfLUNReset || function == tmfWarmReset || function == tmfColdReset) {
			n.admission.LUN.Reset()
		}
		r := newHeader(opTaskResponse, itt)
		r[2] = code
		return n.numbered(r, nil)
	}
	if len(running) == 0 && function != tmfColdReset {
		return done()
	}
	n.wg.Go(func() {
		for _, ended := range running {
			<-ended
		}
		if done() == nil {
			n.flush()
		}
		if function == tmfColdReset {
			n.dropTarget()
		}
	})
	return nil
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
		if !found {
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
