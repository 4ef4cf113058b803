package scsi

import "bytes"

// prepareCompareWrite: the data is what must be there and then what to write
// (SBC-3 §5.2); the length is one byte of the CDB.
func prepareCompareWrite(l *LUN, c *Command) *Sense {
	c.extent()
	c.blocks = uint64(c.cdb[13])
	if c.blocks > maxCompare {
		return invalidCDBField(13)
	}
	if err := l.inRange(c.lba, c.blocks); err != nil {
		return err
	}
	c.DataIn = int(l.bytes(c.blocks))
	c.DataOut = 2 * c.DataIn
	c.Media = c.DataOut
	c.Waits = c.forceUnit()
	return nil
}

// compareWrite compares and writes with no write of others in between.
func compareWrite(l *LUN, c *Command, in, out []byte) Reply {
	if c.Offered != c.DataOut || len(out) != c.DataOut {
		return Fail(*invalidCDBField(13))
	}
	in = in[:c.DataIn]
	want, next := out[:c.DataIn], out[c.DataIn:]
	r := l.update(c, in, func() (write []byte, refused *Reply) {
		if !bytes.Equal(in, want) {
			return nil, refuse(*miscompare(firstDifference(in, want)))
		}
		return next, nil
	})
	if r != nil {
		return *r
	}
	return l.forced(c)
}

func prepareOrWrite(l *LUN, c *Command) *Sense {
	if err := prepareWrite(l, c); err != nil {
		return err
	}
	c.DataIn = c.DataOut
	c.Media = c.DataIn + c.DataOut
	return nil
}

// orWrite is ORWRITE (16) (SBC-3 §5.11): what is there, or what is sent.
func orWrite(l *LUN, c *Command, in, out []byte) Reply {
	out = l.whole(out)
	in = in[:len(out)]
	r := l.update(c, in, func() (write []byte, refused *Reply) {
		for i, b := range out {
			in[i] |= b
		}
		return in, nil
	})
	if r != nil {
		return *r
	}
	return l.forced(c)
}

// update reads in at the command's LBA, and writes what next makes of it with
// no write of others in between.
func (l *LUN) update(c *Command, in []byte, next func() (write []byte, refused *Reply)) *Reply {
	if len(in) == 0 {
		return nil
	}
	off, size := l.bytes(c.lba), int64(len(in))
	l.stripes.lock(off, size)
	defer l.stripes.unlock(off, size)
	if n, err := l.readFull(in, off); err != nil {
		r := l.readFailed(c, n, err)
		return &r
	}
	data, refused := next()
	if refused != nil {
		return refused
	}
	if n, err := l.disk.WriteAt(data, off); err != nil {
		r := l.writeFailed(c, int64(n), err)
		return &r
	}
	return nil
}

// firstDifference is the first index at which a and b, of one length, differ;
// their length where they do not.
func firstDifference(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}
