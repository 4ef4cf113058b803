package scsi

import "sync"

const (
	stripeBytes = 1 << 20
	stripeCount = 64
)

// stripes are locks on ranges of the medium, as COMPARE AND WRITE and ORWRITE
// must be one step for all who write: 1 MiB each, dealt out to a fixed number
// of locks, so that a write takes one of them, shared, and two that are far
// apart do not meet. Offsets and lengths are bytes.
type stripes [stripeCount]stripe

type stripe struct {
	sync.RWMutex
	_ [40]byte // so that each has a cache line of its own
}

// share keeps the range from being locked until unshare; others may share it.
func (s *stripes) share(off, n int64)   { s.each(off, n, (*stripe).RLock) }
func (s *stripes) unshare(off, n int64) { s.each(off, n, (*stripe).RUnlock) }

func (s *stripes) lock(off, n int64)   { s.each(off, n, (*stripe).Lock) }
func (s *stripes) unlock(off, n int64) { s.each(off, n, (*stripe).Unlock) }

// each visits the range's locks, always from the first of the array on, so
// that two ranges cannot wait for each other.
func (s *stripes) each(off, n int64, do func(*stripe)) {
	first, last := off/stripeBytes, (off+max(n, 1)-1)/stripeBytes
	if last-first >= stripeCount {
		last = first + stripeCount - 1
	}
	from, to := int(first%stripeCount), int(last%stripeCount)
	if from > to { // around the end of the array
		s.span(0, to, do)
		to = stripeCount - 1
	}
	s.span(from, to, do)
}

func (s *stripes) span(from, to int, do func(*stripe)) {
	for i := from; i <= to; i++ {
		do(&s[i])
	}
}
