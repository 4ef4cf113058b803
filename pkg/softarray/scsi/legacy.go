package scsi

// RESERVE and RELEASE of SPC-2 §5.5, with the exceptions for LUNs that have
// persistent registrations (SPC-4 §5.12.3). The reservation is of the whole
// logical unit and ends with its session or a reset.

// unitReserved says whether a reservation of SPC-2 is held.
func (l *LUN) unitReserved() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reserver != nil
}

func reserveUnit(l *LUN, c *Command, _, _ []byte) Reply {
	return l.legacy(c.nexus, func() bool { return l.reserve(c.nexus) })
}

// releaseUnit of who holds nothing is GOOD, without effect.
func releaseUnit(l *LUN, c *Command, _, _ []byte) Reply {
	return l.legacy(c.nexus, func() bool { l.release(c.nexus); return true })
}

// legacy carries a RESERVE or RELEASE out. With registrations present it is
// GOOD and without effect for those whom the persistent reservation gives
// access, and a conflict for all others.
func (l *LUN) legacy(n *Nexus, do func() bool) Reply {
	l.reserving.Lock()
	defer l.reserving.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &l.registry
	allowed := r.holds(n.port) || r.Type.shared() && r.key(n.port) != 0
	if len(r.Registrations) == 0 {
		allowed = do()
	}
	if !allowed {
		return *conflict()
	}
	return good(nil)
}

// reserve gives a nexus the reservation, unless another has it. The caller
// holds l.mu.
func (l *LUN) reserve(n *Nexus) bool {
	if l.reserver != nil && l.reserver != n {
		return false
	}
	l.reserver = n
	l.barAll()
	return true
}

// release ends the reservation if this nexus has it. The caller holds l.mu.
func (l *LUN) release(n *Nexus) {
	if l.reserver == n {
		l.reserver = nil
		l.barAll()
	}
}

// barAll computes anew what each nexus may not do. The caller holds l.mu.
func (l *LUN) barAll() {
	for n := range l.nexuses {
		l.bar(n)
	}
}

// bar puts the reservations into force for one nexus. The caller holds l.mu.
func (l *LUN) bar(n *Nexus) {
	if l.reserver != nil && l.reserver != n {
		n.barred.Store(uint32(touching | reading | writing))
		return
	}
	n.barred.Store(uint32(l.registry.barred(n.port)))
}
