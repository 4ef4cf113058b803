package scsi

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Tasks are the commands that a transport has under way for a nexus.
type Tasks interface {
	// AbortTasks ends them without an answer and returns when none of them can
	// touch the medium any more.
	AbortTasks()
}

// Nexus is one session's state at a LUN: its pending unit attentions, the
// capacity it knows (SAM-5 §4.7, §5.14) and what reservations keep it from.
type Nexus struct {
	lun     *LUN
	port    InitiatorPort
	tasks   Tasks
	size    atomic.Int64
	pending atomic.Bool
	barred  atomic.Uint32 // of type access
	copied  atomic.Pointer[copied]

	mu         sync.Mutex
	attentions []Sense
}

// Attach makes a nexus of an initiator port with a power-on unit attention
// pending. Registrations of the same port from before are in force.
func (l *LUN) Attach(p InitiatorPort, t Tasks) *Nexus {
	n := &Nexus{lun: l, port: p.canonical(), tasks: t}
	n.size.Store(l.disk.Size())
	n.attention(sensePowerOn)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nexuses[n] = struct{}{}
	l.bar(n)
	return n
}

// Detach ends the nexus, and with it what it holds by RESERVE.
func (n *Nexus) Detach() {
	n.lun.mu.Lock()
	defer n.lun.mu.Unlock()
	delete(n.lun.nexuses, n)
	n.lun.release(n)
}

// attention queues a unit attention. A reset clears what was pending, as
// everything before it is moot (SAM-5 §5.14).
func (n *Nexus) attention(s Sense) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s == senseReset {
		n.attentions = n.attentions[:0]
	}
	if !slices.Contains(n.attentions, s) {
		n.attentions = append(n.attentions, s)
	}
	n.pending.Store(true)
}

// takeAttention removes and returns the oldest unit attention.
func (n *Nexus) takeAttention() (Sense, bool) {
	n.noticeSize()
	if !n.pending.Load() {
		return Sense{}, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.attentions) == 0 {
		return Sense{}, false
	}
	s := n.attentions[0]
	n.attentions = slices.Delete(n.attentions, 0, 1)
	n.pending.Store(len(n.attentions) > 0)
	return s, true
}

func (n *Nexus) noticeSize() {
	now := n.lun.disk.Size()
	if n.size.Load() != now && n.size.Swap(now) != now {
		n.attention(senseCapacityChanged)
	}
}
