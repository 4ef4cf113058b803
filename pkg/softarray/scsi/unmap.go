package scsi

import (
	"bytes"
	"encoding/binary"
)

const (
	unmapHeader     = 8
	unmapDescriptor = 16
	// unmapCost is what freeing blocks is charged as: one small I/O.
	unmapCost = 4096
)

func prepareUnmap(_ *LUN, c *Command) *Sense {
	c.DataOut = c.be16(7)
	if c.DataOut > 0 && c.DataOut < unmapHeader {
		return &senseListLength
	}
	c.Media = unmapCost
	c.Waits = true
	return nil
}

type extent struct{ lba, blocks uint64 }

// unmap frees the blocks of SBC-3 §5.28. The whole list is checked before
// anything is freed.
func unmap(l *LUN, c *Command, _, out []byte) Reply {
	if c.DataOut == 0 {
		return good(nil)
	}
	extents, sense := l.unmapList(out)
	if sense != nil {
		return Fail(*sense)
	}
	l.atomic.RLock()
	defer l.atomic.RUnlock()
	for _, e := range extents {
		if err := l.disk.Unmap(l.bytes(e.lba), l.bytes(e.blocks)); err != nil {
			return l.failed(c, err)
		}
	}
	return good(nil)
}

func (l *LUN) unmapList(out []byte) ([]extent, *Sense) {
	if len(out) < unmapHeader {
		return nil, &senseListLength
	}
	list := out[unmapHeader:]
	list = list[:min(len(list), int(binary.BigEndian.Uint16(out[2:])))]
	if len(list)/unmapDescriptor > maxUnmapDescriptors {
		return nil, invalidParameter(2)
	}
	var extents []extent
	var total uint64
	for ; len(list) >= unmapDescriptor; list = list[unmapDescriptor:] {
		e := extent{binary.BigEndian.Uint64(list), uint64(binary.BigEndian.Uint32(list[8:]))}
		if err := l.inRange(e.lba, e.blocks); err != nil {
			return nil, err
		}
		if total += e.blocks; total > maxUnmap {
			return nil, invalidParameter(unmapHeader)
		}
		if e.blocks > 0 {
			extents = append(extents, e)
		}
	}
	return extents, nil
}

func (c *Command) wantsUnmap() bool { return c.cdb[1]&0x08 != 0 }

// noData is NDOB of WRITE SAME (16): the block is all zeroes and not sent.
func (c *Command) noData() bool { return c.cdb[0] == 0x93 && c.cdb[1]&0x01 != 0 }

func prepareWriteSame(l *LUN, c *Command) *Sense {
	if err := c.checkExtent(l); err != nil {
		return err
	}
	if c.blocks == 0 {
		return invalidCDBField(c.lengthField()) // WSNZ
	}
	c.Media = int(l.bytes(c.blocks))
	if c.wantsUnmap() {
		c.Media = unmapCost
	}
	if !c.noData() {
		c.DataOut = l.id.BlockSize
	}
	c.Waits = true
	return nil
}

// writeSame repeats one block (SBC-3 §5.46). With UNMAP a block of zeroes is
// freed, any other is written, as unmapped blocks must read as it.
func writeSame(l *LUN, c *Command, _, out []byte) Reply {
	block := make([]byte, l.id.BlockSize)
	if !c.noData() {
		if c.Offered != len(block) || len(out) != len(block) {
			return Fail(senseInfoUnit)
		}
		copy(block, out)
	}
	off, n := l.bytes(c.lba), l.bytes(c.blocks)
	l.atomic.RLock()
	defer l.atomic.RUnlock()
	if err := l.fill(block, off, n, c.wantsUnmap()); err != nil {
		return l.failed(c, err)
	}
	return good(nil)
}

func (l *LUN) fill(block []byte, off, n int64, free bool) error {
	if free && len(bytes.Trim(block, "\x00")) == 0 {
		return l.disk.Unmap(off, n)
	}
	const chunk = 256 << 10
	run := bytes.Repeat(block, int(min(chunk, n))/len(block))
	for n > 0 {
		part := run[:min(int64(len(run)), n)]
		if _, err := l.disk.WriteAt(part, off); err != nil {
			return err
		}
		off, n = off+int64(len(part)), n-int64(len(part))
	}
	return nil
}
