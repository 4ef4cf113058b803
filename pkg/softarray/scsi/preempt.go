package scsi

// preempt is SPC-4 §5.12.11.4: it removes the registrations with a key, and
// takes the reservation over where that key holds it.
func (g *change) preempt(q *reserveRequest) *Reply {
	switch {
	case g.Type.heldByAll() && q.newKey == 0:
		return g.takeOver(q, func(registration) bool { return true })
	case q.newKey == 0:
		return refuse(*invalidParameter(8))
	case g.holderKey() == q.newKey:
		return g.takeOver(q, func(r registration) bool { return r.Key == q.newKey })
	}
	removed := g.drop(func(r registration) bool { return r.Key == q.newKey })
	if len(removed) == 0 {
		return conflict()
	}
	g.generation++
	g.lose(removed)
	if g.Type.heldByAll() && len(g.Registrations) == 0 {
		g.free()
	}
	return nil
}

// takeOver makes the reservation this port's. Its own registration stays.
func (g *change) takeOver(q *reserveRequest, match func(registration) bool) *Reply {
	if !q.reserves() {
		return refuse(*invalidCDBField(2))
	}
	g.generation++
	g.lose(g.drop(func(r registration) bool { return r.Port != g.by && match(r) }))
	if g.Type != q.kind {
		g.tellRegistrants(senseReservationsReleased)
	}
	g.Type, g.Holder = q.kind, g.by
	return nil
}

// lose notes ports whose registration was preempted.
func (g *change) lose(ports []InitiatorPort) {
	for _, p := range ports {
		g.tell(p, senseRegistrationsPreempted)
	}
	g.preempted = append(g.preempted, ports...)
}

// move is REGISTER AND MOVE (SPC-4 §5.12.8): another port is registered and
// gets the reservation.
func (g *change) move(q *reserveRequest) *Reply {
	switch to := q.ports[0]; {
	case !g.holds(g.by) || g.Type.heldByAll():
		return conflict()
	case q.newKey == 0:
		return refuse(*invalidParameter(8))
	case q.targetPort != targetPort:
		return refuse(*invalidParameter(18))
	case to == g.by:
		return refuse(*invalidParameter(moveHeader))
	default:
		g.enter(registration{Port: to, Key: q.newKey})
		g.Holder = to
	}
	g.generation++
	g.persist = q.persist
	if q.unregister {
		g.drop(func(r registration) bool { return r.Port == g.by })
	}
	return g.bounded()
}
