package scsi

import (
	"encoding/binary"
	"math"
)

const (
	blockStatusHeader     = 8
	blockStatusDescriptor = 16
	// maxBlockStatus bounds the descriptors of one GET LBA STATUS.
	maxBlockStatus = 256
	// deallocated is the PROVISIONING STATUS of SBC-3 §5.4.2.2; mapped is 0.
	deallocated = 0x1
)

func prepareBlockStatus(l *LUN, c *Command) *Sense {
	c.lba = binary.BigEndian.Uint64(c.cdb[2:])
	c.Waits = true
	return l.inRange(c.lba, 1)
}

// blockStatus is GET LBA STATUS (SBC-3 §5.4): which blocks take room, from the
// LBA on, in as many descriptors as the initiator has room for.
func blockStatus(l *LUN, c *Command, _, _ []byte) Reply {
	allocation := c.be32(10)
	count := min(max((allocation-blockStatusHeader)/blockStatusDescriptor, 1), maxBlockStatus)
	b := make([]byte, blockStatusHeader, blockStatusHeader+count*blockStatusDescriptor)
	for lba, end := c.lba, l.blocks(); lba < end && count > 0; count-- {
		n, mapped, err := l.run(lba, end)
		if err != nil {
			return l.failed(c, senseReadError, err)
		}
		b = binary.BigEndian.AppendUint64(b, lba)
		b = binary.BigEndian.AppendUint32(b, uint32(n))
		b = append(b, status(mapped), 0, 0, 0)
		lba += n
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return good(upTo(b, allocation))
}

func status(mapped bool) byte {
	if mapped {
		return 0
	}
	return deallocated
}

// run is how many blocks from lba on, before end, are mapped or are not.
func (l *LUN) run(lba, end uint64) (n uint64, mapped bool, err error) {
	for lba+n < end && n < math.MaxUint32 {
		more, is, err := l.disk.Extent(l.bytes(lba + n))
		if err != nil {
			return 0, false, err
		}
		blocks, is := l.wholeBlocks(more, is)
		if n > 0 && is != mapped {
			break
		}
		n, mapped = n+blocks, is
	}
	return min(n, end-lba, math.MaxUint32), mapped, nil
}

// wholeBlocks rounds an extent of the disk to blocks; one that is mapped in
// part is mapped.
func (l *LUN) wholeBlocks(n int64, mapped bool) (uint64, bool) {
	size := int64(l.id.BlockSize)
	if mapped {
		return uint64((n + size - 1) / size), true
	}
	if n < size {
		return 1, true
	}
	return uint64(n / size), false
}
