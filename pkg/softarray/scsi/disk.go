package scsi

import (
	"errors"
	"io/fs"
	"syscall"

	"k8s.io/klog/v2"
)

// Disk is what a LUN keeps its blocks on. Offsets and lengths are bytes, always
// inside Size and multiples of 512. Calls may come from several goroutines.
type Disk interface {
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	// Unmap frees the range; it reads as zeroes afterwards.
	Unmap(off, n int64) error
	// Extent says whether the byte at off takes room, and for how many bytes
	// from there on, at least 1, that does not change. It may stop short.
	Extent(off int64) (n int64, mapped bool, err error)
	// Sync returns when every write that returned before is on stable storage.
	Sync() error
	// Size may grow while the LUN is in use.
	Size() int64
}

// readFailed ends a command whose read stopped after n bytes.
func (l *LUN) readFailed(c *Command, n int, err error) Reply {
	return l.failed(c, senseReadError.at(c.lba+l.blocksIn(int64(n))), err)
}

// writeFailed ends a command whose write stopped after n bytes.
func (l *LUN) writeFailed(c *Command, n int64, err error) Reply {
	return l.failed(c, senseWriteError.at(c.lba+l.blocksIn(n)), err)
}

// failed turns an error of the disk into sense data, s where nothing better is
// known, and logs it.
func (l *LUN) failed(c *Command, s Sense, err error) Reply {
	klog.ErrorS(err, "Disk failed a SCSI command", "serial", l.id.EUI, "opcode", c.cdb[0], "lba", c.lba, "blocks", c.blocks)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return Fail(senseSpaceExhausted)
	case errors.Is(err, fs.ErrClosed): // purged under its initiators
		return Fail(senseNoSuchLUN)
	default:
		return Fail(s)
	}
}
