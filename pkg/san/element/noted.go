package element

import (
	"sync"
	"time"
)

// noted remembers when something was last said of what the array knows by a number.
type noted struct {
	mu     sync.Mutex
	at     map[int64]time.Time
	pruned time.Time
}

// add notes it, and forgets what was noted longer than age ago.
func (n *noted) add(id int64, now time.Time, age time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.at == nil {
		n.at = map[int64]time.Time{}
	}
	if now.Sub(n.pruned) >= age {
		n.pruned = now
		for id, at := range n.at {
			if now.Sub(at) >= age {
				delete(n.at, id)
			}
		}
	}
	n.at[id] = now
}

// has tells whether it was noted less than age ago.
func (n *noted) has(id int64, now time.Time, age time.Duration) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	at, ok := n.at[id]
	return ok && now.Sub(at) < age
}
