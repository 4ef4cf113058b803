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
	if len(out) == 0 {
		return good(nil)
	}
	in = in[:c.DataIn]
	l.atomic.Lock()
	defer l.atomic.Unlock()
	if err := l.readFull(in, l.bytes(c.lba)); err != nil {
		return l.failed(c, err)
	}
	if want := out[:len(in)]; !bytes.Equal(in, want) {
		return Fail(*miscompare(firstDifference(in, want)))
	}
	if _, err := l.disk.WriteAt(out[len(in):], l.bytes(c.lba)); err != nil {
		return l.failed(c, err)
	}
	if !c.forceUnit() {
		return good(nil)
	}
	if err := l.disk.Sync(); err != nil {
		return l.failed(c, err)
	}
	return good(nil)
}
