package scsi

import "encoding/binary"

// reportLUNs (SPC-4 §6.33): every target has LUN 0 and no well-known LUN.
func reportLUNs(_ *LUN, c *Command, _, _ []byte) Reply {
	b := make([]byte, 8, 16)
	switch c.cdb[2] {
	case 0x00, 0x02:
		b = b[:16]
		binary.BigEndian.PutUint32(b, 8)
	case 0x01:
	default:
		return Fail(*invalidCDBField(2))
	}
	return good(upTo(b, c.be32(6)))
}

// reportOperations is REPORT SUPPORTED OPERATION CODES (SPC-4 §6.35).
func reportOperations(l *LUN, c *Command, _, _ []byte) Reply {
	timeouts := c.cdb[2]&0x80 != 0
	opcode, action := c.cdb[3], c.be16(4)
	rows := l.commands.of(opcode)
	actions := len(rows) > 0 && rows[0].service
	var b []byte
	switch c.cdb[2] & 0x07 {
	case 0:
		b = l.commands.describe(timeouts)
	case 1:
		if actions {
			return Fail(*invalidCDBField(2))
		}
		b = oneOperation(rows, -1, timeouts)
	case 2:
		if len(rows) > 0 && !actions {
			return Fail(*invalidCDBField(2))
		}
		b = oneOperation(rows, action, timeouts)
	case 3:
		if !actions && action == 0 {
			action = -1
		}
		b = oneOperation(rows, action, timeouts)
	default:
		return Fail(*invalidCDBField(2))
	}
	return good(upTo(b, c.be32(6)))
}

func (x *index) describe(timeouts bool) []byte {
	b := make([]byte, 4)
	for _, op := range x.rows {
		d := make([]byte, 8)
		d[0] = op.opcode()
		if op.service {
			binary.BigEndian.PutUint16(d[2:], uint16(op.action()))
			d[5] |= 0x01 // SERVACTV
		}
		binary.BigEndian.PutUint16(d[6:], uint16(len(op.usage)))
		if timeouts {
			d[5] |= 0x02 // CTDP
			d = append(d, noTimeouts()...)
		}
		b = append(b, d...)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func oneOperation(rows []operation, action int, timeouts bool) []byte {
	for _, op := range rows {
		if op.action() != action {
			continue
		}
		b := []byte{0, 0x03, 0, byte(len(op.usage))}
		b = append(b, op.usage...)
		if timeouts {
			b[1] |= 0x80
			b = append(b, noTimeouts()...)
		}
		return b
	}
	return []byte{0, 0x01, 0, 0}
}

// noTimeouts is a command timeouts descriptor that promises nothing.
func noTimeouts() []byte {
	b := make([]byte, 12)
	b[1] = 0x0a
	return b
}

// reportTaskManagement is REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS (SPC-4
// §6.36): abort task, abort and clear task set, LUN reset, target reset.
func reportTaskManagement(_ *LUN, c *Command, _, _ []byte) Reply {
	b := make([]byte, 4, 16)
	if c.cdb[2]&0x80 != 0 {
		b = b[:16]
		b[3] = 12
	}
	b[0] = 0x80 | 0x40 | 0x10 | 0x08 | 0x02
	return good(upTo(b, c.be32(6)))
}
