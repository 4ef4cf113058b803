package scsi

import (
	"bytes"
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

// cachingPage (SBC-3 §6.4.5): write cache enabled. A write is acknowledged from
// the page cache; SYNCHRONIZE CACHE and FUA make it durable.
func cachingPage() []byte {
	b := make([]byte, 20)
	b[0], b[1] = 0x08, 18
	b[2] = 0x04 // WCE
	return b
}

// controlPage (SPC-4 §7.5.8): one task set for each nexus (TST), commands may
// be reordered without restriction.
func controlPage() []byte {
	b := make([]byte, 12)
	b[0], b[1] = 0x0a, 10
	b[2] = 0x20 // TST 001b
	b[3] = 0x10 // queue algorithm modifier 1h
	return b
}

// modePages returns the pages asked for. Nothing is changeable.
func modePages(code, subpage, control byte) ([]byte, *Sense) {
	if control == savedValues {
		return nil, &senseSavingUnsup
	}
	if subpage != 0 && (code != allPages || subpage != 0xff) {
		return nil, invalidCDBField(3)
	}
	var out []byte
	for _, page := range [][]byte{cachingPage(), controlPage()} {
		if code != allPages && code != page[0] {
			continue
		}
		if control == changeableValues {
			clear(page[2:])
		}
		out = append(out, page...)
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
	if l.readOnly.Load() {
		return 0x90
	}
	return 0x10
}

func modeSense6(l *LUN, c *Command, _, _ []byte) Reply {
	pages, err := modePages(c.cdb[2]&0x3f, c.cdb[3], c.cdb[2]>>6)
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
	pages, err := modePages(c.cdb[2]&0x3f, c.cdb[3], c.cdb[2]>>6)
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

func prepareModeSelect6(_ *LUN, c *Command) *Sense  { return c.prepareModeSelect(int(c.cdb[4])) }
func prepareModeSelect10(_ *LUN, c *Command) *Sense { return c.prepareModeSelect(c.be16(7)) }

func (c *Command) prepareModeSelect(length int) *Sense {
	if c.cdb[1]&0x01 != 0 {
		return invalidCDBField(1) // SP: there are no saved pages
	}
	c.DataOut = length
	return nil
}

// modeSelect accepts a list that says what is so already, as nothing is
// changeable (SPC-4 §6.11).
func modeSelect(l *LUN, c *Command, _, out []byte) Reply {
	if c.DataOut == 0 {
		return good(nil)
	}
	header := 4
	if c.cdb[0] == 0x55 {
		header = 8
	}
	if len(out) < header {
		return Fail(senseListLength)
	}
	descriptor := int(out[3])
	if header == 8 {
		descriptor = int(binary.BigEndian.Uint16(out[6:]))
	}
	if len(out) < header+descriptor {
		return Fail(senseListLength)
	}
	if at := l.foreignDescriptor(out[header : header+descriptor]); at {
		return Fail(*invalidParameter(header))
	}
	return checkPages(out, header+descriptor)
}

// foreignDescriptor says whether a block descriptor would change the block
// length, which lies in its last bytes in either form.
func (l *LUN) foreignDescriptor(d []byte) bool {
	if len(d) == 0 {
		return false
	}
	if len(d) != 8 && len(d) != 16 {
		return true
	}
	size := int(d[len(d)-3])<<16 | int(d[len(d)-2])<<8 | int(d[len(d)-1])
	return size != l.id.BlockSize
}

func checkPages(out []byte, at int) Reply {
	for at < len(out) {
		if len(out)-at < 2 || len(out)-at < 2+int(out[at+1]) {
			return Fail(senseListLength)
		}
		given := out[at : at+2+int(out[at+1])]
		have, err := modePages(given[0]&0x3f, 0, currentValues)
		if err != nil || given[0]&0x40 != 0 || given[0]&0x3f == allPages {
			return Fail(*invalidParameter(at))
		}
		if len(given) != len(have) {
			return Fail(*invalidParameter(at + 1))
		}
		if !bytes.Equal(given[2:], have[2:]) {
			return Fail(*invalidParameter(at + 2 + firstDifference(given[2:], have[2:])))
		}
		at += len(given)
	}
	return good(nil)
}

// firstDifference is the first index at which a and b, of one length, differ;
// their length where they do not.
func firstDifference(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}
