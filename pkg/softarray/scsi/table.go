package scsi

// operation is one row of the command table: how a command is found, which
// bits of its CDB mean something, and what it does. Dispatch and REPORT
// SUPPORTED OPERATION CODES read the same table.
type operation struct {
	// usage is the CDB usage map (SPC-4 §6.35.3): the operation code, the
	// service action where there is one, and all other bytes as masks.
	usage []byte
	// service: byte 1 has a service action.
	service bool
	// anyLUN: answers for LUNs that do not exist, and before unit attentions.
	anyLUN bool
	// access is what reservations of others may deny.
	access access
	// writes: refused on a read-only LUN.
	writes  bool
	prepare func(*LUN, *Command) *Sense
	receive func(*LUN, *Command, []byte)
	run     func(l *LUN, c *Command, in, out []byte) Reply
}

func (op *operation) opcode() byte { return op.usage[0] }

// action is the service action, -1 where there is none.
func (op *operation) action() int {
	if !op.service {
		return -1
	}
	return int(op.usage[1] & 0x1f)
}

// Bytes of usage maps that repeat: reads and writes take DPO and FUA, verifies
// DPO and BYTCHK, what may be answered at once IMMED.
const (
	all    = 0xff
	dpoFUA = 0x18
	bytchk = 0x16
	immed  = 0x02
)

// blocks is the usage map of a CDB with LBA and length in the places of its
// group (SPC-4 §4.2.5), flags in byte 1 and, but for six bytes, a group number.
func blocks(opcode, flags byte) []byte {
	switch opcode >> 5 {
	case 0:
		return []byte{opcode, 0x1f, all, all, all, 0}
	case 1, 2:
		return []byte{opcode, flags, all, all, all, all, 0x1f, all, all, 0}
	case 5:
		return []byte{opcode, flags, all, all, all, all, all, all, all, all, 0x1f, 0}
	default:
		return []byte{opcode, flags, all, all, all, all, all, all, all, all, all, all, all, all, 0x3f, 0}
	}
}

// operations is sorted by operation code and service action.
func operations() []operation {
	return []operation{
		{usage: []byte{0x00, 0, 0, 0, 0, 0}, access: touching, run: testUnitReady},
		{usage: []byte{0x03, 1, 0, 0, all, 0}, anyLUN: true, run: requestSense},
		{usage: blocks(0x08, 0), access: reading, prepare: prepareRead, run: read},
		{usage: blocks(0x0a, 0), access: writing, writes: true, prepare: prepareWrite, run: write},
		{usage: []byte{0x12, 1, all, all, all, 0}, anyLUN: true, run: inquiry},
		{usage: []byte{0x15, 0x11, 0, 0, all, 0}, access: writing, prepare: prepareModeSelect6, run: modeSelect},
		{usage: []byte{0x16, 0, 0, 0, 0, 0}, access: touching, run: reserveUnit},
		{usage: []byte{0x17, 0, 0, 0, 0, 0}, run: releaseUnit},
		{usage: []byte{0x1a, 0x08, all, all, all, 0}, access: reading, run: modeSense6},
		{usage: []byte{0x1b, 1, 0, 0, 0x01, 0}, access: touching, run: startStop},
		{usage: []byte{0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}, access: touching, run: readCapacity10},
		{usage: blocks(0x28, dpoFUA), access: reading, prepare: prepareRead, run: read},
		{usage: blocks(0x2a, dpoFUA), access: writing, writes: true, prepare: prepareWrite, run: write},
		{usage: blocks(0x2e, bytchk), access: writing, writes: true, prepare: prepareWriteVerify, run: writeVerify},
		{usage: blocks(0x2f, bytchk), access: reading, prepare: prepareVerify, run: verify},
		{usage: blocks(0x34, immed), access: reading, prepare: preparePrefetch, run: prefetch},
		{usage: blocks(0x35, immed), access: writing, prepare: prepareSync, run: syncCache},
		{usage: []byte{0x37, 0, 0x1f, 0, 0, 0, 0, all, all, 0}, access: reading, run: readDefects10},
		{usage: blocks(0x41, 0x08), access: writing, writes: true, prepare: prepareWriteSame, run: writeSame},
		{usage: []byte{0x42, 0, 0, 0, 0, 0, 0x1f, all, all, 0}, access: writing, writes: true, prepare: prepareUnmap, run: unmap},
		{usage: []byte{0x55, 0x11, 0, 0, 0, 0, 0, all, all, 0}, access: writing, prepare: prepareModeSelect10, run: modeSelect},
		{usage: []byte{0x56, 0, 0, 0, 0, 0, 0, 0, 0, 0}, access: touching, run: reserveUnit},
		{usage: []byte{0x57, 0, 0, 0, 0, 0, 0, 0, 0, 0}, run: releaseUnit},
		{usage: []byte{0x5a, 0x18, all, all, 0, 0, 0, all, all, 0}, access: reading, run: modeSense10},
		reserveInRow(0x00), reserveInRow(0x01), reserveInRow(0x02), reserveInRow(0x03),
		reserveOutRow(actionRegister), reserveOutRow(actionReserve), reserveOutRow(actionRelease),
		reserveOutRow(actionClear), reserveOutRow(actionPreempt), reserveOutRow(actionPreemptAbort),
		reserveOutRow(actionRegisterAndIgnore), reserveOutRow(actionRegisterAndMove),
		{usage: []byte{0x83, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, all, all, all, all, 0, 0}, service: true, access: writing, writes: true, prepare: prepareCopy, receive: receiveCopy, run: runCopy},
		{usage: []byte{0x84, 0x00, all, 0, 0, 0, 0, 0, 0, 0, all, all, all, all, 0, 0}, service: true, access: reading, run: copyStatus},
		{usage: []byte{0x84, 0x03, 0, 0, 0, 0, 0, 0, 0, 0, all, all, all, all, 0, 0}, service: true, access: reading, run: copyParameters},
		{usage: blocks(0x88, dpoFUA), access: reading, prepare: prepareRead, run: read},
		{usage: []byte{0x89, dpoFUA, all, all, all, all, all, all, all, all, 0, 0, 0, all, 0x3f, 0}, access: writing, writes: true, prepare: prepareCompareWrite, run: compareWrite},
		{usage: blocks(0x8a, dpoFUA), access: writing, writes: true, prepare: prepareWrite, run: write},
		{usage: blocks(0x8b, dpoFUA), access: writing, writes: true, prepare: prepareOrWrite, run: orWrite},
		{usage: blocks(0x8e, bytchk), access: writing, writes: true, prepare: prepareWriteVerify, run: writeVerify},
		{usage: blocks(0x8f, bytchk), access: reading, prepare: prepareVerify, run: verify},
		{usage: blocks(0x90, immed), access: reading, prepare: preparePrefetch, run: prefetch},
		{usage: blocks(0x91, immed), access: writing, prepare: prepareSync, run: syncCache},
		{usage: blocks(0x93, 0x09), access: writing, writes: true, prepare: prepareWriteSame, run: writeSame},
		{usage: []byte{0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, all, all, all, all, 0, 0}, service: true, access: touching, run: readCapacity16},
		{usage: []byte{0x9e, 0x12, all, all, all, all, all, all, all, all, all, all, all, all, 0, 0}, service: true, access: reading, prepare: prepareBlockStatus, run: blockStatus},
		{usage: []byte{0xa0, 0, all, 0, 0, 0, all, all, all, all, 0, 0}, anyLUN: true, run: reportLUNs},
		{usage: []byte{0xa3, 0x0c, 0x87, all, all, all, all, all, all, all, 0, 0}, service: true, access: reading, run: reportOperations},
		{usage: []byte{0xa3, 0x0d, 0x80, 0, 0, 0, all, all, all, all, 0, 0}, service: true, access: reading, run: reportTaskManagement},
		{usage: blocks(0xa8, dpoFUA), access: reading, prepare: prepareRead, run: read},
		{usage: blocks(0xaa, dpoFUA), access: writing, writes: true, prepare: prepareWrite, run: write},
		{usage: blocks(0xae, bytchk), access: writing, writes: true, prepare: prepareWriteVerify, run: writeVerify},
		{usage: blocks(0xaf, bytchk), access: reading, prepare: prepareVerify, run: verify},
		{usage: []byte{0xb7, 0x1f, all, all, all, all, all, all, all, all, 0, 0}, access: reading, run: readDefects12},
	}
}

func reserveInRow(action byte) operation {
	return operation{usage: []byte{0x5e, action, 0, 0, 0, 0, 0, all, all, 0}, service: true, access: touching, run: reserveIn}
}

// reserveOutRow: what the reservations deny here is the service action's own matter.
func reserveOutRow(action byte) operation {
	return operation{
		usage:   []byte{0x5f, action, all, 0, 0, all, all, all, all, 0},
		service: true, access: touching, prepare: prepareReserveOut, run: reserveOut,
	}
}
