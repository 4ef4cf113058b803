package scsi

import (
	"encoding/binary"
	"math"
)

func readCapacity10(l *LUN, _ *Command, _, _ []byte) Reply {
	b := make([]byte, 8)
	last := l.blocks() - 1
	binary.BigEndian.PutUint32(b, uint32(min(last, math.MaxUint32)))
	binary.BigEndian.PutUint32(b[4:], uint32(l.id.BlockSize))
	return good(b)
}

// readCapacity16 answers SBC-3 §5.16: thin (LBPME), zeroes where unmapped
// (LBPRZ), and the physical block behind the logical one.
func readCapacity16(l *LUN, c *Command, _, _ []byte) Reply {
	b := make([]byte, 32)
	binary.BigEndian.PutUint64(b, l.blocks()-1)
	binary.BigEndian.PutUint32(b[8:], uint32(l.id.BlockSize))
	if l.id.BlockSize == 512 {
		b[13] = 3 // 2^3 logical blocks a physical block
	}
	b[14] = 0xc0 // LBPME, LBPRZ
	return good(upTo(b, c.be32(10)))
}
