package iscsi

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

const (
	smallestBuffer = 4 << 10
	bufferClasses  = 12 // 4 KiB to 8 MiB
)

// buffers are pools of data buffers, one for each power of two, and the bound
// on how much of them is in use.
type buffers struct {
	limit int64 // bytes
	used  atomic.Int64
	pools [bufferClasses]sync.Pool
}

// buffer is a pooled byte slice; its length is what was asked for.
type buffer struct {
	b     []byte
	class int
	from  *buffers
}

// get returns a buffer of n bytes with arbitrary content, or nil where there
// would be more in use than the limit.
func (p *buffers) get(n int) *buffer {
	class := 0
	if n > smallestBuffer {
		class = bits.Len(uint(n-1)) - bits.Len(uint(smallestBuffer-1))
	}
	if class >= bufferClasses {
		return nil
	}
	size := int64(smallestBuffer) << class
	if p.used.Add(size) > p.limit {
		p.used.Add(-size)
		return nil
	}
	if v, ok := p.pools[class].Get().(*buffer); ok {
		v.b = v.b[:n]
		return v
	}
	return &buffer{b: make([]byte, n, size), class: class, from: p}
}

// release gives a buffer back; nil is none.
func (b *buffer) release() {
	if b == nil {
		return
	}
	b.forget()
	b.from.pools[b.class].Put(b)
}

// forget takes a buffer out of the count and leaves it to the garbage
// collector: somebody may still be writing into it.
func (b *buffer) forget() {
	if b != nil {
		b.from.used.Add(-int64(smallestBuffer) << b.class)
	}
}
