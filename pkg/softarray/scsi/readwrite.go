package scsi

import "io"

const fua = 0x08

// forceUnit says whether the CDB has FUA set; the 6-byte forms have none.
func (c *Command) forceUnit() bool { return c.cdb[0]>>5 != 0 && c.cdb[1]&fua != 0 }

func prepareRead(l *LUN, c *Command) *Sense {
	if err := c.checkExtent(l); err != nil {
		return err
	}
	c.DataIn = int(l.bytes(c.blocks))
	c.Media = c.DataIn
	c.Waits = c.forceUnit()
	return nil
}

func prepareWrite(l *LUN, c *Command) *Sense {
	if err := c.checkExtent(l); err != nil {
		return err
	}
	c.DataOut = int(l.bytes(c.blocks))
	c.Media = c.DataOut
	c.Waits = c.forceUnit()
	return nil
}

// read fills in. With FUA what lies in the write cache is made durable first
// (SBC-3 §4.15.2).
func read(l *LUN, c *Command, in, _ []byte) Reply {
	if c.forceUnit() {
		if err := l.disk.Sync(); err != nil {
			return l.failed(c, senseWriteError, err)
		}
	}
	in = in[:c.DataIn]
	if n, err := l.readFull(in, l.bytes(c.lba)); err != nil {
		return l.readFailed(c, n, err)
	}
	return good(in)
}

// write writes the whole blocks of out; an initiator may offer less than the
// CDB says.
func write(l *LUN, c *Command, _, out []byte) Reply {
	if r := l.put(c, l.whole(out)); r != nil {
		return *r
	}
	return l.forced(c)
}

// whole is out without a partial block at its end.
func (l *LUN) whole(out []byte) []byte { return out[:len(out)-len(out)%l.id.BlockSize] }

// put writes data at the command's LBA; nil where that went well.
func (l *LUN) put(c *Command, data []byte) *Reply {
	if len(data) == 0 {
		return nil
	}
	off, size := l.bytes(c.lba), int64(len(data))
	l.stripes.share(off, size)
	n, err := l.disk.WriteAt(data, off)
	l.stripes.unshare(off, size)
	if err != nil {
		r := l.writeFailed(c, int64(n), err)
		return &r
	}
	return nil
}

// forced ends a command that wrote: with FUA when that is durable.
func (l *LUN) forced(c *Command) Reply {
	if !c.forceUnit() {
		return good(nil)
	}
	return l.sync(c)
}

func (l *LUN) sync(c *Command) Reply {
	if err := l.disk.Sync(); err != nil {
		return l.failed(c, senseWriteError, err)
	}
	return good(nil)
}

// readFull reads all of p; an end-of-file that comes with the last byte is no
// error (io.ReaderAt).
func (l *LUN) readFull(p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := l.disk.ReadAt(p, off)
	if n == len(p) {
		return n, nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func prepareSync(l *LUN, c *Command) *Sense {
	c.extent()
	c.Waits = true
	return l.inRange(c.lba, c.blocks)
}

// syncCache makes the whole LUN durable, whatever range is named. With IMMED
// too it answers afterwards, which is allowed (SBC-3 §5.26).
func syncCache(l *LUN, c *Command, _, _ []byte) Reply { return l.sync(c) }
