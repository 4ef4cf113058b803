// Package scsi is the command set of the array's LUNs: SPC-4 and SBC-3 as a
// thin disk speaks them. It knows blocks and CDBs, nothing of the transport.
package scsi

import (
	"encoding/hex"
	"sync"
	"sync/atomic"
)

const (
	// MaxTransfer is the longest read or write, in bytes.
	MaxTransfer = 8 << 20
	// maxWriteSame bounds one WRITE SAME, in bytes.
	maxWriteSame = MaxTransfer
	// maxUnmap bounds one UNMAP, maxCompare one COMPARE AND WRITE, in blocks.
	maxUnmap            = 1 << 20
	maxCompare          = 128
	maxUnmapDescriptors = 256
	physicalBlock       = 4096
)

// Identity is what a LUN says it is.
type Identity struct {
	Vendor, Product, Revision string
	// EUI (EUI-64, 16-byte form) and NAA (type 6) are 32 hex digits each. EUI
	// is the unit serial number too.
	EUI, NAA string
	// BlockSize is the logical block: 512 (512e: the physical one is 4096) or 4096.
	BlockSize int
}

// LUN is one logical unit. Any number of nexuses may use it at once.
type LUN struct {
	disk     Disk
	commands *index
	id       Identity
	eui, naa []byte
	readOnly atomic.Bool // by its owner
	swp      atomic.Bool // by an initiator, in the control mode page
	stripes  stripes

	reserving sync.Mutex // changes of reservations, also while one is saved; taken before mu
	keeper    Keeper

	mu       sync.Mutex
	nexuses  map[*Nexus]struct{}
	registry registry
	reserver *Nexus // who holds the LUN by RESERVE
}

// NewLUN makes a LUN that keeps its blocks on d. An EUI or NAA that is not hex
// is left out of the device identification page.
func NewLUN(d Disk, id Identity) *LUN {
	if id.BlockSize != physicalBlock {
		id.BlockSize = 512
	}
	eui, _ := hex.DecodeString(id.EUI)
	naa, _ := hex.DecodeString(id.NAA)
	return &LUN{disk: d, commands: table(), id: id, eui: eui, naa: naa, nexuses: map[*Nexus]struct{}{}}
}

// SetReadOnly makes every command that changes the medium end with DATA
// PROTECT, WRITE PROTECTED, from the next command on. Initiators learn of a
// change by a unit attention, as their mode pages tell it.
func (l *LUN) SetReadOnly(on bool) {
	if l.readOnly.Swap(on) != on {
		l.tellAll(nil, senseModeChanged)
	}
}

// writeProtected is the sense data of a LUN that takes no writes, nil for one
// that does.
func (l *LUN) writeProtected() *Sense {
	switch {
	case l.readOnly.Load():
		return &senseWriteProtected
	case l.swp.Load():
		return &senseSoftwareProtected
	}
	return nil
}

// tellAll queues a unit attention at all nexuses but one.
func (l *LUN) tellAll(but *Nexus, s Sense) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := range l.nexuses {
		if n != but {
			n.attention(s)
		}
	}
}

// Reset is the LUN's part of a logical unit reset (SAM-5 §6.3.3): mode pages
// take their defaults, RESERVE ends, persistent reservations stay, and every
// nexus gets a unit attention. The transport has aborted the commands before.
func (l *LUN) Reset() {
	l.swp.Store(false)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reserver = nil
	l.barAll()
	for n := range l.nexuses {
		n.attention(senseReset)
	}
}

// blocks is the capacity in logical blocks; a partial block at the end of the
// disk does not exist for initiators.
func (l *LUN) blocks() uint64 { return uint64(l.disk.Size()) / uint64(l.id.BlockSize) }

func (l *LUN) bytes(blocks uint64) int64 { return int64(blocks) * int64(l.id.BlockSize) }

// blocksIn is the number of whole blocks in n bytes.
func (l *LUN) blocksIn(n int64) uint64 { return uint64(n) / uint64(l.id.BlockSize) }
