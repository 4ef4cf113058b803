package iscsi

import (
	"encoding/binary"
	"hash/crc32"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// slabSize is the memory for headers, digests and short data of PDUs that
	// wait to be sent, in bytes: about 150 responses.
	slabSize = 8 << 10
	// inlineData is how much data is copied into the slab rather than referred to.
	inlineData = 512
	// sendAt is how many bytes are gathered before they are sent.
	sendAt = 256 << 10
	// maxPDUHead is what a PDU takes of the slab at most.
	maxPDUHead = headerLen + crc32.Size + inlineData + 3 + crc32.Size
)

// outbox gathers PDUs and sends them by one writev. Nothing is copied but
// headers and short data, and nothing is allocated per PDU.
type outbox struct {
	conn net.Conn
	// timeout bounds one send, so that a peer that does not read is let go.
	timeout atomic.Int64

	mu           sync.Mutex // guards what follows, and the order of the stream
	headerDigest bool
	dataDigest   bool
	slab         []byte // never grows: parts of it are referred to
	open         int    // where the slab's part that is not in parts yet begins
	parts        net.Buffers
	sending      net.Buffers // parts, as the writer consumes them
	size         int         // bytes gathered
	held         []*buffer   // released when what is gathered has been sent
	err          error       // of the first send that failed; the stream is broken
}

func (o *outbox) init(conn net.Conn, timeout time.Duration) {
	o.conn, o.slab = conn, make([]byte, 0, slabSize)
	o.timeout.Store(int64(timeout))
}

// put gathers a PDU. data longer than inlineData must stay as it is until it is
// sent; see hold. The caller holds o.mu.
func (o *outbox) put(h *header, data []byte) error {
	if o.err != nil {
		return o.err
	}
	if o.size >= sendAt || cap(o.slab)-len(o.slab) < maxPDUHead {
		if err := o.send(); err != nil {
			return err
		}
	}
	h.setDataLen(len(data))
	at := len(o.slab)
	o.slab = append(o.slab, h[:]...)
	if o.headerDigest {
		o.slab = appendDigest(o.slab, crc32.Checksum(o.slab[at:], castagnoli))
	}
	if len(data) > 0 {
		o.putData(data)
	}
	o.size += len(o.slab) - at
	return nil
}

func (o *outbox) putData(data []byte) {
	if len(data) <= inlineData {
		o.slab = append(o.slab, data...)
	} else {
		o.seal()
		o.parts = append(o.parts, data)
		o.size += len(data)
	}
	pad := len(o.slab)
	o.slab = append(o.slab, zeroes[:padding(len(data))]...)
	if o.dataDigest {
		sum := crc32.Update(crc32.Checksum(data, castagnoli), castagnoli, o.slab[pad:])
		o.slab = appendDigest(o.slab, sum)
	}
}

var zeroes [3]byte

// appendDigest adds a CRC32C, which travels in little endian (RFC 7143 §13.1).
func appendDigest(b []byte, sum uint32) []byte { return binary.LittleEndian.AppendUint32(b, sum) }

// seal makes what is new in the slab the next part.
func (o *outbox) seal() {
	if o.open < len(o.slab) {
		o.parts = append(o.parts, o.slab[o.open:])
		o.open = len(o.slab)
	}
}

// hold keeps a buffer that gathered PDUs refer to until they are sent. The
// caller holds o.mu.
func (o *outbox) hold(b *buffer) { o.held = append(o.held, b) }

// flush sends what is gathered.
func (o *outbox) flush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.send()
}

// send does the work of flush. The caller holds o.mu.
func (o *outbox) send() error {
	o.seal()
	if len(o.parts) > 0 && o.err == nil {
		o.err = o.write()
	}
	clear(o.parts)
	o.parts, o.slab, o.open, o.size = o.parts[:0], o.slab[:0], 0, 0
	for i, b := range o.held {
		b.release()
		o.held[i] = nil
	}
	o.held = o.held[:0]
	return o.err
}

// discard drops what is gathered and all that comes.
func (o *outbox) discard() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = net.ErrClosed
	}
	_ = o.send() // tells the error that has just been set
}

func (o *outbox) write() error {
	if err := o.setDeadline(); err != nil {
		return err
	}
	if len(o.parts) == 1 {
		_, err := o.conn.Write(o.parts[0])
		return err
	}
	o.sending = o.parts
	_, err := o.sending.WriteTo(o.conn)
	return err
}

// setDeadline does not undo a hurry that comes in between.
func (o *outbox) setDeadline() error {
	for {
		timeout := o.timeout.Load()
		err := o.conn.SetWriteDeadline(time.Now().Add(time.Duration(timeout)))
		if err != nil || o.timeout.Load() == timeout {
			return err
		}
	}
}

// hurry gives a send under way, and each later one, at most d from now on.
func (o *outbox) hurry(d time.Duration) error {
	o.timeout.Store(int64(d))
	return o.conn.SetWriteDeadline(time.Now().Add(d))
}
