package scsi

import "bytes"

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
	c.DataIn = min(c.Media, piece)
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
func writeSame(l *LUN, c *Command, in, out []byte) Reply {
	if !c.noData() && (c.Offered != l.id.BlockSize || len(out) != l.id.BlockSize) {
		return Fail(senseInfoUnit)
	}
	off, n := l.bytes(c.lba), l.bytes(c.blocks)
	if c.wantsUnmap() && len(bytes.TrimLeft(out, "\x00")) == 0 {
		if err := l.free(off, n); err != nil {
			return l.writeFailed(c, 0, err)
		}
		return good(nil)
	}
	run := in[:c.DataIn]
	clear(run[copy(run, out):])
	repeat(run, len(out))
	if done, err := l.fill(run, off, n); err != nil {
		return l.writeFailed(c, done, err)
	}
	return good(nil)
}

// repeat fills run with copies of its first n bytes; n = 0 leaves it as it is.
func repeat(run []byte, n int) {
	for ; 0 < n && n < len(run); n *= 2 {
		copy(run[n:], run[:n])
	}
}

// fill writes run again and again over n bytes at off, and says how many it wrote.
func (l *LUN) fill(run []byte, off, n int64) (done int64, err error) {
	l.stripes.share(off, n)
	defer l.stripes.unshare(off, n)
	for done < n {
		wrote, err := l.disk.WriteAt(run[:min(int64(len(run)), n-done)], off+done)
		done += int64(wrote)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}
