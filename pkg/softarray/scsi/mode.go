package scsi

import (
	"encoding/binary"
	"math"
)

// Mode page control (SPC-4 §6.13.1).
const (
	currentValues = iota
	changeableValues
	defaultValues
	savedValues
)

const allPages = 0x3f

// modePage is one page as it is now, and the bits that MODE SELECT may change.
type modePage struct{ current, changeable []byte }

// modePages are all pages, by code.
func (l *LUN) modePages() []modePage {
	control := modePage{controlPage(), make([]byte, 12)}
	control.changeable[4] = swpBit
	if l.swp.Load() {
		control.current[4] |= swpBit
	}
	return []modePage{
		{recoveryPage(), make([]byte, 12)},
		{cachingPage(), make([]byte, 20)},
		control,
		{exceptionsPage(), make([]byte, 12)},
	}
}

func newPage(code byte, length int) []byte {
	b := make([]byte, length)
	b[0], b[1] = code, byte(length-2)
	return b
}

// recoveryPage is read-write error recovery (SBC-3 §6.4.8): what the host's
// disks recover is not known here, and nothing is reassigned.
func recoveryPage() []byte { return newPage(0x01, 12) }

// cachingPage (SBC-3 §6.4.5): write cache enabled. A write is acknowledged from
// the page cache; SYNCHRONIZE CACHE and FUA make it durable.
func cachingPage() []byte {
	b := newPage(0x08, 20)
	b[2] = 0x04 // WCE
	return b
}

// swpBit is SWP in byte 4 of the control page: the LUN takes no writes.
const swpBit = 0x08

// controlPage (SPC-4 §7.5.8): one task set for each nexus (TST), commands may
// be reordered without restriction.
func controlPage() []byte {
	b := newPage(0x0a, 12)
	b[2] = 0x20 // TST 001b
	b[3] = 0x10 // queue algorithm modifier 1h
	return b
}

// exceptionsPage is informational exceptions control (SBC-3 §6.4.6): none are
// reported (DEXCPT).
func exceptionsPage() []byte {
	b := newPage(0x1c, 12)
	b[2] = 0x08
	return b
}

// senseModePages returns the pages asked for. After a reset the defaults are in
// force, so that a page's default is its current value without what MODE SELECT
// may change.
func (l *LUN) senseModePages(code, subpage, control byte) ([]byte, *Sense) {
	if control == savedValues {
		return nil, &senseSavingUnsup
	}
	if subpage != 0 && (code != allPages || subpage != 0xff) {
		return nil, invalidCDBField(3)
	}
	var out []byte
	for _, p := range l.modePages() {
		if code != allPages && code != p.current[0] {
			continue
		}
		for i, mask := range p.changeable {
			switch {
			case i < 2:
			case control == changeableValues:
				p.current[i] = mask
			case control == defaultValues:
				p.current[i] &^= mask
			}
		}
		out = append(out, p.current...)
	}
	if out == nil {
		return nil, invalidCDBField(2)
	}
	return out, nil
}

// blockDescriptor is the short or long LBA descriptor (SBC-3 §6.4.2).
func (l *LUN) blockDescriptor(long bool) []byte {
	if long {
		b := make([]byte, 16)
		binary.BigEndian.PutUint64(b, l.blocks())
		binary.BigEndian.PutUint32(b[12:], uint32(l.id.BlockSize))
		return b
	}
	b := make([]byte, 8)
	binary.BigEndian.PutUint32(b, uint32(min(l.blocks(), math.MaxUint32)))
	b[5], b[6], b[7] = 0, byte(l.id.BlockSize>>8), byte(l.id.BlockSize)
	return b
}

// deviceSpecific is the parameter of SBC-3 §6.4.1: WP and DPOFUA.
func (l *LUN) deviceSpecific() byte {
	if l.writeProtected() != nil {
		return 0x90
	}
	return 0x10
}

func modeSense6(l *LUN, c *Command, _, _ []byte) Reply {
	pages, err := l.senseModePages(c.cdb[2]&0x3f, c.cdb[3], c.cdb[2]>>6)
	if err != nil {
		return Fail(*err)
	}
	b := []byte{0, 0, l.deviceSpecific(), 0}
	if c.cdb[1]&0x08 == 0 {
		b = append(b, l.blockDescriptor(false)...)
		b[3] = 8
	}
	b = append(b, pages...)
	b[0] = byte(len(b) - 1)
	return good(upTo(b, int(c.cdb[4])))
}

func modeSense10(l *LUN, c *Command, _, _ []byte) Reply {
	pages, err := l.senseModePages(c.cdb[2]&0x3f, c.cdb[3], c.cdb[2]>>6)
	if err != nil {
		return Fail(*err)
	}
	b := make([]byte, 8)
	b[3] = l.deviceSpecific()
	if c.cdb[1]&0x08 == 0 {
		long := c.cdb[1]&0x10 != 0
		descriptor := l.blockDescriptor(long)
		if long {
			b[4] = 0x01 // LONGLBA
		}
		binary.BigEndian.PutUint16(b[6:], uint16(len(descriptor)))
		b = append(b, descriptor...)
	}
	b = append(b, pages...)
	binary.BigEndian.PutUint16(b, uint16(len(b)-2))
	return good(upTo(b, c.be16(7)))
}
