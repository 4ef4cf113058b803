package scsi

import "encoding/binary"

func prepareModeSelect6(_ *LUN, c *Command) *Sense  { return c.prepareModeSelect(int(c.cdb[4])) }
func prepareModeSelect10(_ *LUN, c *Command) *Sense { return c.prepareModeSelect(c.be16(7)) }

func (c *Command) prepareModeSelect(length int) *Sense {
	if c.cdb[1]&0x01 != 0 {
		return invalidCDBField(1) // SP: there are no saved pages
	}
	c.DataOut = length
	return nil
}

// modeSelect takes a list of pages that differ from what is so in nothing but
// SWP (SPC-4 §6.11). The whole list is checked before anything is changed, and
// the other initiators are told.
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
	if l.foreignDescriptor(out[header : header+descriptor]) {
		return Fail(*invalidParameter(header))
	}
	swp, err := l.selectPages(out, header+descriptor)
	if err != nil {
		return Fail(*err)
	}
	if l.swp.Swap(swp) != swp {
		l.tellAll(c.nexus, senseModeChanged)
	}
	return good(nil)
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

// selectPages checks the pages from a place of the list on and returns what SWP
// shall be.
func (l *LUN) selectPages(out []byte, at int) (swp bool, err *Sense) {
	swp = l.swp.Load()
	for at < len(out) {
		if len(out)-at < 2 || len(out)-at < 2+int(out[at+1]) {
			return swp, &senseListLength
		}
		given := out[at : at+2+int(out[at+1])]
		if err := l.checkPage(given, at); err != nil {
			return swp, err
		}
		if given[0] == 0x0a {
			swp = given[4]&swpBit != 0
		}
		at += len(given)
	}
	return swp, nil
}

// checkPage holds a page, found at a place of the list, to what is so.
func (l *LUN) checkPage(given []byte, at int) *Sense {
	for _, have := range l.modePages() {
		if given[0] != have.current[0] {
			continue
		}
		if len(given) != len(have.current) {
			return invalidParameter(at + 1)
		}
		for i := 2; i < len(given); i++ {
			if (given[i]^have.current[i])&^have.changeable[i] != 0 {
				return invalidParameter(at + i)
			}
		}
		return nil
	}
	return invalidParameter(at)
}
