package scsi

import "encoding/binary"

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
	for _, e := range extents {
		if err := l.free(l.bytes(e.lba), l.bytes(e.blocks)); err != nil {
			return l.failed(c, senseWriteError.at(e.lba), err)
		}
	}
	return good(nil)
}

// free gives a range back to the disk.
func (l *LUN) free(off, n int64) error {
	l.stripes.share(off, n)
	defer l.stripes.unshare(off, n)
	return l.disk.Unmap(off, n)
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
