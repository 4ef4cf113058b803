package scsi

const (
	// maxPrefetch bounds what one PRE-FETCH brings into the cache, in bytes.
	maxPrefetch = MaxTransfer
	// piece is how much of a long range is handled at once, in bytes.
	piece = 256 << 10
)

// preparePrefetch: a length of 0 means up to the end of the medium (SBC-3
// §5.12). Only maxPrefetch of it is read.
func preparePrefetch(l *LUN, c *Command) *Sense {
	c.extent()
	if err := l.inRange(c.lba, c.blocks); err != nil {
		return err
	}
	if c.blocks == 0 {
		c.blocks = l.blocks() - c.lba
	}
	c.Media = int(min(l.bytes(c.blocks), maxPrefetch))
	c.DataIn = min(c.Media, piece)
	c.Waits = true
	return nil
}

// prefetch reads blocks into the host's page cache and sends none. It tells
// whether all of them are there; with IMMED too it answers afterwards.
func prefetch(l *LUN, c *Command, in, _ []byte) Reply {
	for done := 0; done < c.Media; {
		part := in[:min(c.DataIn, c.Media-done)]
		if n, err := l.readFull(part, l.bytes(c.lba)+int64(done)); err != nil {
			return l.readFailed(c, done+n, err)
		}
		done += len(part)
	}
	if int64(c.Media) < l.bytes(c.blocks) {
		return good(nil)
	}
	return Reply{Status: StatusConditionMet}
}
