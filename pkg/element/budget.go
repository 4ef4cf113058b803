package element

import "sync"

// A call in five may be a repeated one, and as many as the first are saved up:
// an array in distress gets no multiple of the load that brought it there.
const (
	retriesSaved   = 100
	retriesPerCall = 0.2
)

// budget bounds the repeated calls of all callers together.
type budget struct {
	mu    sync.Mutex
	spent float64
}

// earn tells of a call that is no repetition.
func (b *budget) earn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent = max(0, b.spent-retriesPerCall)
}

// spend tells whether a call may be repeated.
func (b *budget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spent+1 > retriesSaved {
		return false
	}
	b.spent++
	return true
}
