package scsi

import "encoding/binary"

// reserveIn answers the four service actions of PERSISTENT RESERVE IN (SPC-4
// §6.15).
func reserveIn(l *LUN, c *Command, _, _ []byte) Reply {
	if l.unitReserved() {
		return *conflict()
	}
	l.mu.Lock()
	r := l.registry // its registrations are never changed in place
	l.mu.Unlock()
	var b []byte
	switch c.cdb[1] & 0x1f {
	case 0x00:
		b = r.readKeys()
	case 0x01:
		b = r.readReservation()
	case 0x02:
		b = r.capabilities(l.keeper != nil)
	default:
		b = r.readFullStatus()
	}
	return good(upTo(b, c.be16(7)))
}

// listOf is generation, length and the list.
func (r *registry) listOf(list []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, r.generation)
	b = binary.BigEndian.AppendUint32(b, uint32(len(list)))
	return append(b, list...)
}

func (r *registry) readKeys() []byte {
	var keys []byte
	for _, g := range r.Registrations {
		keys = binary.BigEndian.AppendUint64(keys, g.Key)
	}
	return r.listOf(keys)
}

func (r *registry) readReservation() []byte {
	if r.Type == 0 {
		return r.listOf(nil)
	}
	b := make([]byte, 16)
	binary.BigEndian.PutUint64(b, r.holderKey())
	b[13] = byte(r.Type)
	return r.listOf(b)
}

// capabilities is SPC-4 §6.15.4: compatible handling of RESERVE and RELEASE,
// SPEC_I_PT, ALL_TG_PT, all types, and TEST UNIT READY in spite of a reservation.
func (r *registry) capabilities(keeps bool) []byte {
	const crh, specified, allPorts, persists = 0x10, 0x08, 0x04, 0x01
	const maskValid, testUnitReady, persisting = 0x80, 0x10, 0x01
	b := make([]byte, 8)
	b[1] = 8
	b[2] = crh | specified | allPorts
	if keeps {
		b[2] |= persists
	}
	b[3] = maskValid | testUnitReady
	if r.persist {
		b[3] |= persisting
	}
	for _, t := range reservationTypes() {
		b[4+t/8] |= 1 << (t % 8)
	}
	return b
}

// readFullStatus is SPC-4 §6.15.5.
func (r *registry) readFullStatus() []byte {
	var list []byte
	for _, g := range r.Registrations {
		d := make([]byte, 24)
		binary.BigEndian.PutUint64(d, g.Key)
		if g.AllPorts {
			d[12] |= 0x02
		}
		if r.holds(g.Port) {
			d[12] |= 0x01
			d[13] = byte(r.Type)
		}
		binary.BigEndian.PutUint16(d[18:], targetPort)
		id := g.Port.transportID()
		binary.BigEndian.PutUint32(d[20:], uint32(len(id)))
		list = append(append(list, d...), id...)
	}
	return r.listOf(list)
}
