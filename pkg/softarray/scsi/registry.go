package scsi

import "slices"

// reservationType is the TYPE of a persistent reservation (SPC-4 §6.15.3.4); 0
// stands for no reservation.
type reservationType byte

const (
	writeExclusive                reservationType = 0x1
	exclusiveAccess               reservationType = 0x3
	writeExclusiveRegistrants     reservationType = 0x5
	exclusiveAccessRegistrants    reservationType = 0x6
	writeExclusiveAllRegistrants  reservationType = 0x7
	exclusiveAccessAllRegistrants reservationType = 0x8
)

// reservationTypes are all types.
func reservationTypes() []reservationType {
	return []reservationType{
		writeExclusive, exclusiveAccess, writeExclusiveRegistrants, exclusiveAccessRegistrants,
		writeExclusiveAllRegistrants, exclusiveAccessAllRegistrants,
	}
}

func (t reservationType) valid() bool { return slices.Contains(reservationTypes(), t) }

// shared: every registrant has access, not only the holder.
func (t reservationType) shared() bool { return t >= writeExclusiveRegistrants }

// heldByAll: every registrant is a holder.
func (t reservationType) heldByAll() bool { return t >= writeExclusiveAllRegistrants }

// exclusive: others may not even read.
func (t reservationType) exclusive() bool {
	return t == exclusiveAccess || t == exclusiveAccessRegistrants || t == exclusiveAccessAllRegistrants
}

// registration is a key that an I_T nexus registered.
type registration struct {
	Port InitiatorPort
	Key  uint64
	// AllPorts: it was made for all target ports (ALL_TG_PT).
	AllPorts bool `json:",omitempty"`
}

// registry is the LUN's registrations and its persistent reservation.
type registry struct {
	Registrations []registration // in the order in which they were made
	Type          reservationType
	Holder        InitiatorPort // unless the type is held by all
	persist       bool          // APTPL
	generation    uint32        // PRGENERATION
}

// key is the port's key, 0 where it is not registered.
func (r *registry) key(p InitiatorPort) uint64 {
	if i := r.index(p); i >= 0 {
		return r.Registrations[i].Key
	}
	return 0
}

func (r *registry) index(p InitiatorPort) int {
	return slices.IndexFunc(r.Registrations, func(g registration) bool { return g.Port == p })
}

// holds says whether the port is a holder of the reservation.
func (r *registry) holds(p InitiatorPort) bool {
	switch {
	case r.Type == 0:
		return false
	case r.Type.heldByAll():
		return r.key(p) != 0
	default:
		return r.Holder == p
	}
}

// holderKey is the key of the reservation as READ RESERVATION tells it: 0 where
// there are several holders.
func (r *registry) holderKey() uint64 {
	if r.Type == 0 || r.Type.heldByAll() {
		return 0
	}
	return r.key(r.Holder)
}

// barred is what a port may not do (SPC-4 §5.12.1).
func (r *registry) barred(p InitiatorPort) access {
	switch {
	case r.Type == 0, r.holds(p), r.Type.shared() && r.key(p) != 0:
		return 0
	case r.Type.exclusive():
		return reading | writing
	default:
		return writing
	}
}
