package scsi

import "encoding/binary"

// EXTENDED COPY (LID1) of SPC-4 §6.4, for copies within the LUN: a hypervisor
// that clones a disk inside its datastore need not move the data. Copies
// between LUNs are the array's own, by its API.

// Limits of one EXTENDED COPY. Lengths are bytes.
const (
	maxCopyTargets  = 4
	maxCopySegments = 8
	maxCopySegment  = MaxTransfer
	maxCopyList     = maxCopyTargets*copyTargetLength + maxCopySegments*copySegmentLength
)

// copied is how an EXTENDED COPY ended, for RECEIVE COPY RESULTS.
type copied struct {
	list     byte // LIST IDENTIFIER
	segments int
	bytes    int64
	whole    bool
}

func prepareCopy(_ *LUN, c *Command) *Sense {
	c.DataOut = c.be32(10)
	if c.DataOut > copyHeader+maxCopyList || c.DataOut > 0 && c.DataOut < copyHeader {
		return &senseListLength
	}
	c.DataIn = piece
	c.Waits = true
	return nil
}

// receiveCopy reads the list as soon as it is there: it says how much is moved,
// which the volume's ceiling must know first.
func receiveCopy(l *LUN, c *Command, out []byte) {
	c.copy = l.copyList(out)
	for _, s := range c.copy.segments {
		c.Media += 2 * int(l.bytes(s.blocks)) // read and written
	}
}

func runCopy(l *LUN, c *Command, in, out []byte) Reply {
	if c.DataOut == 0 {
		return good(nil)
	}
	if len(out) < c.DataOut {
		return Fail(senseListLength)
	}
	if c.copy.refused != nil {
		return Fail(*c.copy.refused)
	}
	done := copied{list: out[0]}
	r := good(nil)
	for _, s := range c.copy.segments {
		if failed := l.copySegment(c, s, in[:c.DataIn]); failed != nil {
			r = *failed
			break
		}
		done.segments++
		done.bytes += l.bytes(s.blocks)
	}
	done.whole = done.segments == len(c.copy.segments)
	c.nexus.copied.Store(nil)
	if c.copy.hold {
		c.nexus.copied.Store(&done)
	}
	return r
}

// copySegment copies in pieces, backwards where the destination lies behind the
// source and both may overlap.
func (l *LUN) copySegment(c *Command, s copySegment, buf []byte) *Reply {
	size := l.bytes(s.blocks)
	for done := int64(0); done < size; {
		n := min(int64(len(buf)), size-done)
		at := done
		if s.to > s.from {
			at = size - done - n
		}
		if r := l.copyPiece(c, l.bytes(s.from)+at, l.bytes(s.to)+at, buf[:n]); r != nil {
			return r
		}
		done += n
	}
	return nil
}

func (l *LUN) copyPiece(c *Command, from, to int64, buf []byte) *Reply {
	if n, err := l.readFull(buf, from); err != nil {
		r := l.failed(c, senseReadError.at(l.blocksIn(from+int64(n))), err)
		return &r
	}
	l.stripes.share(to, int64(len(buf)))
	n, err := l.disk.WriteAt(buf, to)
	l.stripes.unshare(to, int64(len(buf)))
	if err != nil {
		r := l.failed(c, senseWriteError.at(l.blocksIn(to+int64(n))), err)
		return &r
	}
	return nil
}

// copyStatus is COPY STATUS of RECEIVE COPY RESULTS (SPC-4 §6.24): how this
// nexus's last copy ended, told once.
func copyStatus(_ *LUN, c *Command, _, _ []byte) Reply {
	const completed, failed = 0x01, 0x02
	done := c.nexus.copied.Load()
	if done == nil || done.list != c.cdb[2] || !c.nexus.copied.CompareAndSwap(done, nil) {
		return Fail(*invalidCDBField(2))
	}
	b := make([]byte, 12)
	b[3] = byte(len(b) - 4)
	b[4] = completed
	if !done.whole {
		b[4] = failed
	}
	binary.BigEndian.PutUint16(b[5:], uint16(done.segments))
	binary.BigEndian.PutUint32(b[8:], uint32(done.bytes)) // in units of bytes
	return good(upTo(b, c.be32(10)))
}

// copyParameters is OPERATING PARAMETERS (SPC-4 §6.25).
func copyParameters(_ *LUN, c *Command, _, _ []byte) Reply {
	codes := copyDescriptors()
	b := make([]byte, 44, 44+len(codes))
	binary.BigEndian.PutUint32(b, uint32(40+len(codes)))
	b[4] = 0x01 // SNLID: a list may have no identifier
	binary.BigEndian.PutUint16(b[8:], maxCopyTargets)
	binary.BigEndian.PutUint16(b[10:], maxCopySegments)
	binary.BigEndian.PutUint32(b[12:], maxCopyList)
	binary.BigEndian.PutUint32(b[16:], maxCopySegment)
	b[34], b[35] = 0, 1 // total concurrent copies
	b[36] = 1           // maximum concurrent copies
	b[37] = 9           // data segment granularity, 2^9 bytes
	b[43] = byte(len(codes))
	return good(upTo(append(b, codes...), c.be32(10)))
}

// copyDescriptors are the descriptor types taken: of segments and of targets.
func copyDescriptors() []byte { return []byte{copyBlocks, copyByDesignator} }
