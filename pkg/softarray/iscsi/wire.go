package iscsi

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"sync"
)

var (
	errHeaderDigest = errors.New("header digest is wrong")
	errDataDigest   = errors.New("data digest is wrong")
	errTooLong      = errors.New("data segment is longer than the limit")
)

// wire reads and writes PDUs on one connection. One goroutine reads, any may
// write. Answers are gathered while there is input at hand and go out before
// the reader blocks.
type wire struct {
	conn         net.Conn
	in           *bufio.Reader
	crc          *crc32.Table
	headerDigest bool
	dataDigest   bool
	scratch      [4]byte

	mu    sync.Mutex // guards what follows
	out   *bufio.Writer
	dirty bool
}

// wireBuffer is the size of a connection's read and write buffers, in bytes.
const wireBuffer = 32 << 10

func newWire(conn net.Conn) *wire {
	w := &wire{conn: conn, crc: crc32.MakeTable(crc32.Castagnoli)}
	w.out = bufio.NewWriterSize(conn, wireBuffer)
	w.in = bufio.NewReaderSize(flushingReader{w}, wireBuffer)
	return w
}

// flushingReader sends what is pending before it waits for input.
type flushingReader struct{ w *wire }

func (r flushingReader) Read(p []byte) (int, error) {
	if err := r.w.flush(); err != nil {
		return 0, err
	}
	return r.w.conn.Read(p)
}

func (w *wire) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.dirty {
		return nil
	}
	w.dirty = false
	return w.out.Flush()
}

// readHeader reads a basic header segment. Additional header segments are
// checked by the digest and dropped: nothing here needs them.
func (w *wire) readHeader(h *header) error {
	if _, err := io.ReadFull(w.in, h[:]); err != nil {
		return err
	}
	sum := uint32(0)
	if w.headerDigest {
		sum = crc32.Update(0, w.crc, h[:])
	}
	if n := h.ahsLen(); n > 0 {
		ahs := make([]byte, n)
		if _, err := io.ReadFull(w.in, ahs); err != nil {
			return err
		}
		if w.headerDigest {
			sum = crc32.Update(sum, w.crc, ahs)
		}
	}
	if !w.headerDigest {
		return nil
	}
	if ok, err := w.digestIs(sum); err != nil || !ok {
		return errors.Join(err, errHeaderDigest)
	}
	return nil
}

// readData reads a data segment, its padding and digest into p, which has the
// segment's length. errDataDigest leaves the stream in step.
func (w *wire) readData(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if _, err := io.ReadFull(w.in, p); err != nil {
		return err
	}
	pad := w.scratch[:padding(len(p))]
	if _, err := io.ReadFull(w.in, pad); err != nil {
		return err
	}
	if !w.dataDigest {
		return nil
	}
	ok, err := w.digestIs(crc32.Update(crc32.Update(0, w.crc, p), w.crc, pad))
	if err != nil {
		return err
	}
	if !ok {
		return errDataDigest
	}
	return nil
}

// skipData drops a data segment of n bytes with padding and digest.
func (w *wire) skipData(n int) error {
	if n == 0 {
		return nil
	}
	n += padding(n)
	if w.dataDigest {
		n += crc32.Size
	}
	_, err := w.in.Discard(n)
	return err
}

// readShort reads a data segment that must not be longer than limit.
func (w *wire) readShort(h *header, limit int) ([]byte, error) {
	n := h.dataLen()
	if n > limit {
		return nil, fmt.Errorf("opcode %#02x, %d bytes of at most %d: %w", h.opcode(), n, limit, errTooLong)
	}
	p := make([]byte, n)
	return p, w.readData(p)
}

// digestIs reads a digest, which travels as CRC32C in little endian (RFC 7143
// §13.1), and compares it.
func (w *wire) digestIs(sum uint32) (bool, error) {
	if _, err := io.ReadFull(w.in, w.scratch[:]); err != nil {
		return false, err
	}
	return binary.LittleEndian.Uint32(w.scratch[:]) == sum, nil
}

// put writes a PDU into the output buffer. The caller holds w.mu.
func (w *wire) put(h *header, data []byte) error {
	h.setDataLen(len(data))
	w.dirty = true
	if _, err := w.out.Write(h[:]); err != nil {
		return err
	}
	if w.headerDigest {
		if err := w.putDigest(crc32.Checksum(h[:], w.crc)); err != nil {
			return err
		}
	}
	if len(data) == 0 {
		return nil
	}
	if _, err := w.out.Write(data); err != nil {
		return err
	}
	pad := make([]byte, padding(len(data)), 4)
	if _, err := w.out.Write(pad); err != nil {
		return err
	}
	if !w.dataDigest {
		return nil
	}
	return w.putDigest(crc32.Update(crc32.Checksum(data, w.crc), w.crc, pad))
}

func (w *wire) putDigest(sum uint32) error {
	var b [crc32.Size]byte
	binary.LittleEndian.PutUint32(b[:], sum)
	_, err := w.out.Write(b[:])
	return err
}
