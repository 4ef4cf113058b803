package scsi

import "sync"

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
	for i := range rows {
		if at := &x.first[rows[i].opcode()]; *at < 0 {
			*at = int16(i)
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
	for end < len(x.rows) && x.rows[end].opcode() == opcode {
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
		if !rows[i].service || rows[i].action() == int(cdb[1]&0x1f) {
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
