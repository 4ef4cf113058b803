package scsi

import (
	"errors"
	"syscall"

	"k8s.io/klog/v2"
)

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
			return l.failed(c, err)
		}
	}
	in = in[:c.DataIn]
	if err := l.readFull(in, l.bytes(c.lba)); err != nil {
		return l.failed(c, err)
	}
	return good(in)
}

func write(l *LUN, c *Command, _, out []byte) Reply {
	if err := l.put(c, out); err != nil {
		return l.failed(c, err)
	}
	if c.forceUnit() {
		if err := l.disk.Sync(); err != nil {
			return l.failed(c, err)
		}
	}
	return good(nil)
}

// put writes the whole blocks of out at the command's LBA.
func (l *LUN) put(c *Command, out []byte) error {
	out = out[:len(out)-len(out)%l.id.BlockSize]
	if len(out) == 0 {
		return nil
	}
	l.atomic.RLock()
	defer l.atomic.RUnlock()
	_, err := l.disk.WriteAt(out, l.bytes(c.lba))
	return err
}

// readFull reads all of p; an end-of-file that comes with the last byte is no
// error (io.ReaderAt).
func (l *LUN) readFull(p []byte, off int64) error {
	if len(p) == 0 {
		return nil
	}
	n, err := l.disk.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	return errors.Join(err, errors.New("short read"))
}

func prepareSync(l *LUN, c *Command) *Sense {
	c.extent()
	c.Waits = true
	return l.inRange(c.lba, c.blocks)
}

// syncCache makes the whole LUN durable, whatever range is named. With IMMED
// too it answers afterwards, which is allowed (SBC-3 §5.26).
func syncCache(l *LUN, c *Command, _, _ []byte) Reply {
	if err := l.disk.Sync(); err != nil {
		return l.failed(c, err)
	}
	return good(nil)
}

// failed turns an error of the disk into sense data and logs it.
func (l *LUN) failed(c *Command, err error) Reply {
	klog.ErrorS(err, "Disk failed a SCSI command", "serial", l.id.EUI, "opcode", c.cdb[0], "lba", c.lba, "blocks", c.blocks)
	if errors.Is(err, syscall.ENOSPC) {
		return Fail(senseSpaceExhausted)
	}
	if c.op.writes || c.Waits {
		return Fail(senseWriteError)
	}
	return Fail(senseReadError)
}
