package scsi

import "encoding/binary"

const (
	// reserveList is the length of the parameter list but for SPEC_I_PT, its
	// length with no TransportIDs then and that of REGISTER AND MOVE before its
	// one TransportID.
	reserveList   = 24
	specifiedList = reserveList + 4
	moveHeader    = 24
	// maxReserveList bounds a list of TransportIDs.
	maxReserveList = 64 << 10
)

// reserveRequest is the CDB and parameter list of a PERSISTENT RESERVE OUT
// (SPC-4 §6.16).
type reserveRequest struct {
	action      byte
	scope       byte
	kind        reservationType
	key, newKey uint64 // RESERVATION KEY, SERVICE ACTION RESERVATION KEY
	persist     bool   // APTPL
	allPorts    bool   // ALL_TG_PT
	specified   bool   // SPEC_I_PT
	// ports are those that SPEC_I_PT lists, or the one to move to.
	ports      []InitiatorPort
	unregister bool   // UNREG
	targetPort uint16 // to move to
}

// reserves says whether scope and type can be a reservation: all are of the
// whole logical unit.
func (q *reserveRequest) reserves() bool { return q.scope == 0 && q.kind.valid() }

func prepareReserveOut(_ *LUN, c *Command) *Sense {
	c.DataOut = c.be32(5)
	if c.DataOut < reserveList || c.DataOut > maxReserveList {
		return &senseListLength
	}
	c.Waits = true
	return nil
}

// reserveRequest reads the parameter list.
func (c *Command) reserveRequest(out []byte) (*reserveRequest, *Sense) {
	if len(out) < c.DataOut {
		return nil, &senseListLength
	}
	q := &reserveRequest{
		action: c.cdb[1] & 0x1f, scope: c.cdb[2] >> 4, kind: reservationType(c.cdb[2] & 0x0f),
		key: binary.BigEndian.Uint64(out), newKey: binary.BigEndian.Uint64(out[8:]),
	}
	if q.action == actionRegisterAndMove {
		return q, q.readMove(out)
	}
	q.persist, q.allPorts, q.specified = out[20]&0x01 != 0, out[20]&0x04 != 0, out[20]&0x08 != 0
	if q.specified {
		return q, q.readPorts(out)
	}
	if len(out) != reserveList {
		return nil, &senseListLength
	}
	return q, nil
}

// readPorts reads the TransportIDs of SPEC_I_PT, which is REGISTER's alone.
func (q *reserveRequest) readPorts(out []byte) *Sense {
	if q.action != actionRegister {
		return invalidParameter(20)
	}
	if len(out) < specifiedList || int64(binary.BigEndian.Uint32(out[reserveList:])) != int64(len(out)-specifiedList) {
		return &senseListLength
	}
	for ids := out[specifiedList:]; len(ids) > 0; {
		p, rest, ok := parseTransportID(ids)
		if !ok {
			return invalidParameter(len(out) - len(ids))
		}
		q.ports, ids = append(q.ports, p), rest
	}
	return nil
}

// readMove reads the list of REGISTER AND MOVE (SPC-4 §6.16.4).
func (q *reserveRequest) readMove(out []byte) *Sense {
	q.persist, q.unregister = out[17]&0x01 != 0, out[17]&0x02 != 0
	q.targetPort = binary.BigEndian.Uint16(out[18:])
	if int64(binary.BigEndian.Uint32(out[20:])) != int64(len(out)-moveHeader) {
		return &senseListLength
	}
	p, rest, ok := parseTransportID(out[moveHeader:])
	if !ok || len(rest) > 0 {
		return invalidParameter(moveHeader)
	}
	q.ports = []InitiatorPort{p}
	return nil
}
