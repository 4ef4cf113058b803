package iscsi

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"time"
)

var (
	errHeaderDigest = errors.New("header digest is wrong")
	errDataDigest   = errors.New("data digest is wrong")
	errTooLong      = errors.New("data segment is longer than the limit")
)

// castagnoli is CRC32C, for which crc32 uses the processor's instruction.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// wire reads and writes PDUs on one connection. One goroutine reads, any may
// write. Answers are gathered while there is input at hand and go out before
// the reader blocks.
type wire struct {
	conn         net.Conn
	in           *bufio.Reader
	headerDigest bool
	dataDigest   bool
	scratch      [4]byte
	out          outbox
}

// readBuffer is the size of a connection's read buffer, in bytes.
const readBuffer = 32 << 10

// newWire bounds each send by timeout.
func newWire(conn net.Conn, timeout time.Duration) *wire {
	w := &wire{conn: conn}
	w.out.init(conn, timeout)
	w.in = bufio.NewReaderSize(flushingReader{w}, readBuffer)
	return w
}

// flushingReader sends what is pending before it waits for input.
type flushingReader struct{ w *wire }

func (r flushingReader) Read(p []byte) (int, error) {
	if err := r.w.out.flush(); err != nil {
		return 0, err
	}
	return r.w.conn.Read(p)
}

// setDigests takes the digests into use, in both directions.
func (w *wire) setDigests(header, data bool) {
	w.out.mu.Lock()
	defer w.out.mu.Unlock()
	w.headerDigest, w.dataDigest = header, data
	w.out.headerDigest, w.out.dataDigest = header, data
}

// readHeader reads a basic header segment. Additional header segments are
// checked by the digest and dropped: nothing here needs them.
func (w *wire) readHeader(h *header) error {
	if _, err := io.ReadFull(w.in, h[:]); err != nil {
		return err
	}
	sum := uint32(0)
	if w.headerDigest {
		sum = crc32.Checksum(h[:], castagnoli)
	}
	if n := h.ahsLen(); n > 0 {
		ahs, err := w.in.Peek(n) // at most 1020 bytes
		if err != nil {
			return err
		}
		if w.headerDigest {
			sum = crc32.Update(sum, castagnoli, ahs)
		}
		if _, err := w.in.Discard(n); err != nil {
			return err
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
	ok, err := w.digestIs(crc32.Update(crc32.Checksum(p, castagnoli), castagnoli, pad))
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

// digestIs reads a digest and compares it.
func (w *wire) digestIs(sum uint32) (bool, error) {
	if _, err := io.ReadFull(w.in, w.scratch[:]); err != nil {
		return false, err
	}
	return binary.LittleEndian.Uint32(w.scratch[:]) == sum, nil
}
