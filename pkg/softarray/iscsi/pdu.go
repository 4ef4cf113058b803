// Package iscsi is an iSCSI target (RFC 7143, error recovery level 0, one
// connection a session). It serves the LUNs that a Directory names and knows
// nothing of how volumes are kept.
package iscsi

import "encoding/binary"

const (
	headerLen = 48
	// noTag is the reserved value of an initiator task tag and of a target
	// transfer tag (RFC 7143 §11.2.1.8).
	noTag = 0xffffffff
)

// Initiator opcodes (RFC 7143 §11.2.1.2).
const (
	opNopOut       = 0x00
	opSCSICommand  = 0x01
	opTaskRequest  = 0x02
	opLoginRequest = 0x03
	opTextRequest  = 0x04
	opDataOut      = 0x05
	opLogout       = 0x06
	opSNACK        = 0x10
)

// Target opcodes.
const (
	opNopIn         = 0x20
	opSCSIResponse  = 0x21
	opTaskResponse  = 0x22
	opLoginResponse = 0x23
	opTextResponse  = 0x24
	opDataIn        = 0x25
	opLogoutReply   = 0x26
	opR2T           = 0x31
	opAsync         = 0x32
	opReject        = 0x3f
)

// Reject reasons (RFC 7143 §11.17.1).
const (
	rejectDataDigest   = 0x02
	rejectSNACK        = 0x03
	rejectProtocol     = 0x04
	rejectUnsupported  = 0x05
	rejectTooMany      = 0x06
	rejectInProgress   = 0x07
	rejectInvalidField = 0x09
	rejectResources    = 0x0a
)

const (
	flagFinal    = 0x80
	flagContinue = 0x40
)

// header is a basic header segment (RFC 7143 §11.2). The accessors name the
// fields that most PDUs share.
type header [headerLen]byte

func (h *header) opcode() byte    { return h[0] & 0x3f }
func (h *header) immediate() bool { return h[0]&0x40 != 0 }
func (h *header) final() bool     { return h[1]&flagFinal != 0 }
func (h *header) continues() bool { return h[1]&flagContinue != 0 }
func (h *header) ahsLen() int     { return int(h[4]) * 4 }
func (h *header) dataLen() int    { return int(h[5])<<16 | int(h[6])<<8 | int(h[7]) }
func (h *header) lun() uint64     { return binary.BigEndian.Uint64(h[8:]) }
func (h *header) itt() uint32     { return h.u32(16) }

// ttt is the target transfer tag; in a task management request it is the
// referenced task tag.
func (h *header) ttt() uint32   { return h.u32(20) }
func (h *header) cmdSN() uint32 { return h.u32(24) }

func (h *header) u32(at int) uint32      { return binary.BigEndian.Uint32(h[at:]) }
func (h *header) put32(at int, v uint32) { binary.BigEndian.PutUint32(h[at:], v) }
func (h *header) put16(at int, v uint16) { binary.BigEndian.PutUint16(h[at:], v) }
func (h *header) setLUN(v uint64)        { binary.BigEndian.PutUint64(h[8:], v) }
func (h *header) setITT(v uint32)        { h.put32(16, v) }
func (h *header) setTTT(v uint32)        { h.put32(20, v) }
func (h *header) setDataLen(n int)       { h[5], h[6], h[7] = byte(n>>16), byte(n>>8), byte(n) }

// newHeader starts a target PDU; its final bit is set, as it is reserved as 1
// in every target PDU but Login, Text and Data-In.
func newHeader(opcode byte, itt uint32) header {
	h := header{opcode, flagFinal}
	h.setITT(itt)
	return h
}

// padding is how many bytes follow n to the next multiple of 4.
func padding(n int) int { return -n & 3 }

// before compares serial numbers (RFC 1982, 32 bits): a comes before b.
func before(a, b uint32) bool { return int32(a-b) < 0 }
