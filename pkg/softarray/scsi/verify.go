package scsi

import "bytes"

// bytchkMode is the BYTCHK field (SBC-3 §5.33): 0 checks the medium alone, 1
// compares every block with the data sent, 3 each block with the one sent.
func (c *Command) bytchkMode() int { return int(c.cdb[1]>>1) & 3 }

func prepareVerify(l *LUN, c *Command) *Sense {
	if err := c.checkExtent(l); err != nil {
		return err
	}
	switch c.bytchkMode() {
	case 0:
	case 1:
		c.DataOut = int(l.bytes(c.blocks))
	case 3:
		if c.blocks > 0 {
			c.DataOut = l.id.BlockSize
		}
	default:
		return invalidCDBField(1)
	}
	c.DataIn = int(l.bytes(c.blocks))
	c.Media = c.DataIn
	return nil
}

// verify reads the blocks, and compares them where BYTCHK says so.
func verify(l *LUN, c *Command, in, out []byte) Reply {
	in = in[:c.DataIn]
	if n, err := l.readFull(in, l.bytes(c.lba)); err != nil {
		return l.readFailed(c, n, err)
	}
	return c.compare(in, out)
}

func (c *Command) compare(have, want []byte) Reply {
	if c.bytchkMode() == 0 || len(want) == 0 {
		return good(nil)
	}
	for at := 0; at < len(have); at += len(want) {
		n := min(len(want), len(have)-at)
		if !bytes.Equal(have[at:at+n], want[:n]) {
			return Fail(*miscompare(at + firstDifference(have[at:at+n], want[:n])))
		}
		if c.bytchkMode() == 1 {
			break
		}
	}
	return good(nil)
}

// prepareWriteVerify: the data is written, made durable and, with BYTCHK, read
// back and compared (SBC-3 §5.44). BYTCHK 3 has no meaning here.
func prepareWriteVerify(l *LUN, c *Command) *Sense {
	if c.bytchkMode() > 1 {
		return invalidCDBField(1)
	}
	if err := prepareWrite(l, c); err != nil {
		return err
	}
	c.DataIn = c.DataOut
	c.Waits = true
	return nil
}

func writeVerify(l *LUN, c *Command, in, out []byte) Reply {
	out = l.whole(out)
	if r := l.put(c, out); r != nil {
		return *r
	}
	if r := l.sync(c); r.Status != StatusGood {
		return r
	}
	in = in[:len(out)]
	if n, err := l.readFull(in, l.bytes(c.lba)); err != nil {
		return l.readFailed(c, n, err)
	}
	return c.compare(in, out)
}
