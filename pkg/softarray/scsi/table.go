package scsi

import "sync"

// operation is one row of the command table: how a command is found, which
// bits of its CDB mean something, and what it does. Dispatch and REPORT
// SUPPORTED OPERATION CODES read the same table.
type operation struct {
	opcode byte
	// action is the service action in byte 1, -1 where there is none.
	action int
	// usage is the CDB usage map (SPC-4 §6.35.3); its length is the CDB's.
	usage []byte
	// anyLUN: answers for LUNs that do not exist, and before unit attentions.
	anyLUN bool
	// writes: refused on a read-only LUN.
	writes  bool
	prepare func(*LUN, *Command) *Sense
	run     func(l *LUN, c *Command, in, out []byte) Reply
}

// Usage bytes that repeat: reads and writes take DPO and FUA, verifies DPO and
// BYTCHK; the group number and the control byte's vendor bits are ignored.
const (
	dpoFUA  = 0x18
	bytchk  = 0x16
	group   = 0x1f
	group16 = 0x3f
)

// operations is sorted by opcode and service action. It is read only.
func operations() []operation {
	const all = 0xff
	return []operation{
		{opcode: 0x00, action: -1, usage: []byte{0x00, 0, 0, 0, 0, 0}, run: testUnitReady},
		{opcode: 0x03, action: -1, usage: []byte{0x03, 1, 0, 0, all, 0}, anyLUN: true, run: requestSense},
		{opcode: 0x08, action: -1, usage: []byte{0x08, 0x1f, all, all, all, 0}, prepare: prepareRead, run: read},
		{opcode: 0x0a, action: -1, usage: []byte{0x0a, 0x1f, all, all, all, 0}, writes: true, prepare: prepareWrite, run: write},
		{opcode: 0x12, action: -1, usage: []byte{0x12, 1, all, all, all, 0}, anyLUN: true, run: inquiry},
		{opcode: 0x15, action: -1, usage: []byte{0x15, 0x11, 0, 0, all, 0}, prepare: prepareModeSelect6, run: modeSelect},
		{opcode: 0x1a, action: -1, usage: []byte{0x1a, 0x08, all, all, all, 0}, run: modeSense6},
		{opcode: 0x1b, action: -1, usage: []byte{0x1b, 1, 0, 0, 0x01, 0}, run: startStop},
		{opcode: 0x25, action: -1, usage: []byte{0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}, run: readCapacity10},
		{opcode: 0x28, action: -1, usage: []byte{0x28, dpoFUA, all, all, all, all, group, all, all, 0}, prepare: prepareRead, run: read},
		{opcode: 0x2a, action: -1, usage: []byte{0x2a, dpoFUA, all, all, all, all, group, all, all, 0}, writes: true, prepare: prepareWrite, run: write},
		{opcode: 0x2e, action: -1, usage: []byte{0x2e, bytchk, all, all, all, all, group, all, all, 0}, writes: true, prepare: prepareWriteVerify, run: writeVerify},
		{opcode: 0x2f, action: -1, usage: []byte{0x2f, bytchk, all, all, all, all, group, all, all, 0}, prepare: prepareVerify, run: verify},
		{opcode: 0x35, action: -1, usage: []byte{0x35, 0x02, all, all, all, all, group, all, all, 0}, prepare: prepareSync, run: syncCache},
		{opcode: 0x41, action: -1, usage: []byte{0x41, 0x08, all, all, all, all, group, all, all, 0}, writes: true, prepare: prepareWriteSame, run: writeSame},
		{opcode: 0x42, action: -1, usage: []byte{0x42, 0, 0, 0, 0, 0, group, all, all, 0}, writes: true, prepare: prepareUnmap, run: unmap},
		{opcode: 0x55, action: -1, usage: []byte{0x55, 0x11, 0, 0, 0, 0, 0, all, all, 0}, prepare: prepareModeSelect10, run: modeSelect},
		{opcode: 0x5a, action: -1, usage: []byte{0x5a, 0x18, all, all, 0, 0, 0, all, all, 0}, run: modeSense10},
		{opcode: 0x88, action: -1, usage: []byte{0x88, dpoFUA, all, all, all, all, all, all, all, all, all, all, all, all, group16, 0}, prepare: prepareRead, run: read},
		{opcode: 0x89, action: -1, usage: []byte{0x89, dpoFUA, all, all, all, all, all, all, all, all, 0, 0, 0, all, group16, 0}, writes: true, prepare: prepareCompareWrite, run: compareWrite},
		{opcode: 0x8a, action: -1, usage: []byte{0x8a, dpoFUA, all, all, all, all, all, all, all, all, all, all, all, all, group16, 0}, writes: true, prepare: prepareWrite, run: write},
		{opcode: 0x8e, action: -1, usage: []byte{0x8e, bytchk, all, all, all, all, all, all, all, all, all, all, all, all, group16, 0}, writes: true, prepare: prepareWriteVerify, run: writeVerify},
		{opcode: 0x8f, action: -1, usage: []byte{0x8f, bytchk, all, all, all, all, all, all, all, all, all, all, all, all, group16, 0}, prepare: prepareVerify, run: verify},
		{opcode: 0x91, action: -1, usage: []byte{0x91, 0x02, all, all, all, all, all, all, all, all, all, all, all, all, group16, 0}, prepare: prepareSync, run: syncCache},
		{opcode: 0x93, action: -1, usage: []byte{0x93, 0x09, all, all, all, all, all, all, all, all, all, all, all, all, group16, 0}, writes: true, prepare: prepareWriteSame, run: writeSame},
		{opcode: 0x9e, action: 0x10, usage: []byte{0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, all, all, all, all, 0, 0}, run: readCapacity16},
		{opcode: 0xa0, action: -1, usage: []byte{0xa0, 0, all, 0, 0, 0, all, all, all, all, 0, 0}, anyLUN: true, run: reportLUNs},
		{opcode: 0xa3, action: 0x0c, usage: []byte{0xa3, 0x0c, 0x87, all, all, all, all, all, all, all, 0, 0}, run: reportOperations},
		{opcode: 0xa3, action: 0x0d, usage: []byte{0xa3, 0x0d, 0x80, 0, 0, 0, all, all, all, all, 0, 0}, run: reportTaskManagement},
		{opcode: 0xa8, action: -1, usage: []byte{0xa8, dpoFUA, all, all, all, all, all, all, all, all, group, 0}, prepare: prepareRead, run: read},
		{opcode: 0xaa, action: -1, usage: []byte{0xaa, dpoFUA, all, all, all, all, all, all, all, all, group, 0}, writes: true, prepare: prepareWrite, run: write},
		{opcode: 0xae, action: -1, usage: []byte{0xae, bytchk, all, all, all, all, all, all, all, all, group, 0}, writes: true, prepare: prepareWriteVerify, run: writeVerify},
		{opcode: 0xaf, action: -1, usage: []byte{0xaf, bytchk, all, all, all, all, all, all, all, all, group, 0}, prepare: prepareVerify, run: verify},
	}
}

// index finds the rows of an opcode.
type index struct {
	rows  []operation
	first [256]int16
}

// table is built once and never changed; every LUN has it as its commands.
var table = sync.OnceValue(func() *index { return newIndex(operations()) })

func newIndex(rows []operation) *index {
	x := &index{rows: rows}
	for i := range x.first {
		x.first[i] = -1
	}
	for i, op := range rows {
		if x.first[op.opcode] < 0 {
			x.first[op.opcode] = int16(i)
		}
	}
	return x
}

// of returns the rows of one opcode.
func (x *index) of(opcode byte) []operation {
	first := int(x.first[opcode])
	if first < 0 {
		return nil
	}
	end := first
	for end < len(x.rows) && x.rows[end].opcode == opcode {
		end++
	}
	return x.rows[first:end]
}

func (x *index) lookup(cdb [16]byte) (*operation, *Sense) {
	rows := x.of(cdb[0])
	if len(rows) == 0 {
		return nil, &senseInvalidOpcode
	}
	for i := range rows {
		if rows[i].action < 0 || rows[i].action == int(cdb[1]&0x1f) {
			return &rows[i], nil
		}
	}
	return nil, invalidCDBField(1)
}

// strayBit is the first CDB byte with a bit that the usage map does not have,
// -1 without one.
func (op *operation) strayBit(cdb [16]byte) int {
	for i := 1; i < len(op.usage); i++ {
		if cdb[i]&^op.usage[i] != 0 {
			return i
		}
	}
	return -1
}
