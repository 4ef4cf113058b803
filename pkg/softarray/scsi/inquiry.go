package scsi

import (
	"encoding/binary"
	"fmt"
)

const (
	directAccess = 0x00
	// notConnected: peripheral qualifier 3, device type 1Fh, of a LUN that the
	// target cannot have (SPC-4 §6.6.2).
	notConnected = 0x7f
)

// Version descriptors (SPC-4 §6.6.2): SAM-5, SPC-4, SBC-3, iSCSI.
func versionDescriptors() []uint16 { return []uint16{0x00a0, 0x0460, 0x04c0, 0x0960} }

func inquiry(l *LUN, c *Command, _, _ []byte) Reply {
	allocation := c.be16(3)
	if c.cdb[1]&1 == 0 {
		if c.cdb[2] != 0 {
			return Fail(*invalidCDBField(2))
		}
		return good(upTo(l.standardInquiry(c.noLUN), allocation))
	}
	if c.noLUN {
		return Fail(*invalidCDBField(2))
	}
	page, ok := l.vitalPage(c.cdb[2])
	if !ok {
		return Fail(*invalidCDBField(2))
	}
	return good(upTo(page, allocation))
}

func (l *LUN) standardInquiry(noLUN bool) []byte {
	b := make([]byte, 96)
	b[0] = directAccess
	if noLUN {
		b[0] = notConnected
	}
	b[2] = 0x06             // SPC-4
	b[3] = 0x12             // HISUP, response data format 2
	b[4] = byte(len(b) - 5) // additional length
	b[5] = 0x08             // 3PC
	b[7] = 0x02             // CMDQUE
	copy(b[8:], padded(l.id.Vendor, 8))
	copy(b[16:], padded(l.id.Product, 16))
	copy(b[32:], padded(l.id.Revision, 4))
	for i, v := range versionDescriptors() {
		binary.BigEndian.PutUint16(b[58+2*i:], v)
	}
	return b
}

// vitalPage is a vital product data page with its header (SPC-4 §7.8).
func (l *LUN) vitalPage(code byte) ([]byte, bool) {
	var body []byte
	switch code {
	case 0x00:
		body = []byte{0x00, 0x80, 0x83, 0x8f, 0xb0, 0xb1, 0xb2}
	case 0x80:
		body = []byte(l.id.EUI)
	case 0x83:
		body = l.designators()
	case 0x8f:
		body = thirdPartyCopy()
	case 0xb0:
		body = l.blockLimits()
	case 0xb1:
		body = make([]byte, 60)
		body[1] = 0x01 // medium rotation rate 0001h: not a rotating medium
	case 0xb2:
		body = provisioning()
	default:
		return nil, false
	}
	page := make([]byte, 4, 4+len(body))
	page[0], page[1] = directAccess, code
	binary.BigEndian.PutUint16(page[2:], uint16(len(body)))
	return append(page, body...), true
}

// designators are the LUN's three names (SPC-4 §7.8.6): T10 vendor id, EUI-64
// and NAA, all associated with the logical unit.
func (l *LUN) designators() []byte {
	const ascii, binarySet = 0x02, 0x01
	b := designator(nil, ascii, 0x01, []byte(padded(l.id.Vendor, 8)+l.id.EUI))
	if len(l.eui) == 16 {
		b = designator(b, binarySet, 0x02, l.eui)
	}
	if len(l.naa) == 16 {
		b = designator(b, binarySet, 0x03, l.naa)
	}
	return b
}

func designator(b []byte, codeSet, kind byte, id []byte) []byte {
	return append(append(b, codeSet, kind, 0, byte(len(id))), id...)
}

// blockLimits is the body of VPD page B0h (SBC-3 §6.5.3).
func (l *LUN) blockLimits() []byte {
	size := l.id.BlockSize
	perPhysical := uint32(physicalBlock / size)
	b := make([]byte, 60)
	b[0] = 0x01 // WSNZ: WRITE SAME of no blocks is refused
	b[1] = maxCompare
	binary.BigEndian.PutUint16(b[2:], uint16(perPhysical))
	binary.BigEndian.PutUint32(b[4:], uint32(MaxTransfer/size))
	binary.BigEndian.PutUint32(b[12:], uint32(maxPrefetch/size))
	binary.BigEndian.PutUint32(b[16:], maxUnmap)
	binary.BigEndian.PutUint32(b[20:], maxUnmapDescriptors)
	binary.BigEndian.PutUint32(b[24:], perPhysical)
	binary.BigEndian.PutUint32(b[28:], 1<<31) // UGAVALID, alignment 0
	binary.BigEndian.PutUint64(b[32:], uint64(maxWriteSame/size))
	return b
}

// provisioning is the body of VPD page B2h (SBC-3 §6.5.4): thin, unmapped by
// UNMAP and both WRITE SAMEs, unmapped blocks read as zeroes.
func provisioning() []byte {
	const lbpu, lbpws, lbpws10, lbprz, thin = 0x80, 0x40, 0x20, 0x04, 0x02
	return []byte{0, lbpu | lbpws | lbpws10 | lbprz, thin, 0}
}

func padded(s string, n int) string { return fmt.Sprintf("%-*.*s", n, n, s) }
