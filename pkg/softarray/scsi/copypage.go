package scsi

import "encoding/binary"

// thirdPartyCopy is the body of VPD page 8Fh (SPC-4 §7.8.17): which copy
// commands there are, their limits and the descriptors that they take.
func thirdPartyCopy() []byte {
	commands := []byte{0, 0x83, 1, 0x00, 0x84, 2, 0x00, 0x03}
	commands[0] = byte(len(commands) - 1)
	codes := copyDescriptors()

	limits := make([]byte, 28)
	binary.BigEndian.PutUint16(limits[4:], maxCopyTargets)
	binary.BigEndian.PutUint16(limits[6:], maxCopySegments)
	binary.BigEndian.PutUint32(limits[8:], maxCopyList)

	operations := make([]byte, 32)
	binary.BigEndian.PutUint32(operations, 1)     // total concurrent copies
	binary.BigEndian.PutUint32(operations[4:], 1) // of them identified
	binary.BigEndian.PutUint32(operations[8:], maxCopySegment)
	operations[12] = 9 // data segment granularity, 2^9 bytes

	b := copyDescriptor(nil, 0x0001, commands)
	b = copyDescriptor(b, 0x0004, limits)
	b = copyDescriptor(b, 0x0008, append([]byte{byte(len(codes))}, codes...))
	return copyDescriptor(b, 0x8001, operations)
}

// copyDescriptor appends a third-party copy descriptor, padded to four bytes.
func copyDescriptor(b []byte, kind uint16, body []byte) []byte {
	body = append(body, make([]byte, -len(body)&3)...)
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return append(b, body...)
}
