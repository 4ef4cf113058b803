package scsi

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Nexus is one initiator port's state at a LUN: its pending unit attentions
// and the capacity it knows (SAM-5 §4.7, §5.14).
type Nexus struct {
	lun     *LUN
	size    atomic.Int64
	pending atomic.Bool

	mu         sync.Mutex
	attentions []Sense
}

// Attach makes a nexus with a power-on unit attention pending.
func (l *LUN) Attach() *Nexus {
	n := &Nexus{lun: l}
	n.size.Store(l.disk.Size())
	n.attention(sensePowerOn)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nexuses[n] = struct{}{}
	return n
}

// Detach ends the nexus.
func (n *Nexus) Detach() {
	n.lun.mu.Lock()
	defer n.lun.mu.Unlock()
	delete(n.lun.nexuses, n)
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
	if n.size.Swap(now) != now {
		n.attention(senseCapacityChanged)
	}
}
