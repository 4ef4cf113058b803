package iscsi

import (
	"math/bits"
	"sync"
)

const (
	smallestBuffer = 4 << 10
	bufferClasses  = 12 // 4 KiB to 8 MiB
)

// buffers are pools of data buffers, one for each power of two.
type buffers struct{ pools [bufferClasses]sync.Pool }

// buffer is a pooled byte slice; its length is what was asked for.
type buffer struct {
	b     []byte
	class int
}

// get returns a buffer of n bytes with arbitrary content.
func (p *buffers) get(n int) *buffer {
	class := 0
	if n > smallestBuffer {
		class = bits.Len(uint(n-1)) - bits.Len(uint(smallestBuffer-1))
	}
	if class >= bufferClasses {
		return &buffer{b: make([]byte, n), class: class}
	}
	if v, ok := p.pools[class].Get().(*buffer); ok {
		v.b = v.b[:n]
		return v
	}
	return &buffer{b: make([]byte, n, smallestBuffer<<class), class: class}
}

// put gives a buffer back; nil and odd sizes are let go.
func (p *buffers) put(v *buffer) {
	if v != nil && v.class < bufferClasses {
		p.pools[v.class].Put(v)
	}
}
