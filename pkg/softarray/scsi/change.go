package scsi

import "slices"

// maxRegistrations bounds what a LUN remembers.
const maxRegistrations = 1024

// Service actions of PERSISTENT RESERVE OUT (SPC-4 §6.16.2).
const (
	actionRegister          = 0x00
	actionReserve           = 0x01
	actionRelease           = 0x02
	actionClear             = 0x03
	actionPreempt           = 0x04
	actionPreemptAbort      = 0x05
	actionRegisterAndIgnore = 0x06
	actionRegisterAndMove   = 0x07
)

// change is a registry that one PERSISTENT RESERVE OUT is changing, and what
// is due to others once the change is in force. Its methods return nil where
// the service action succeeds, and leave a change of no use where not.
type change struct {
	registry
	by        InitiatorPort
	notices   []notice
	preempted []InitiatorPort
}

// notice is a unit attention for an I_T nexus.
type notice struct {
	port  InitiatorPort
	sense Sense
}

// begin copies the registry for a change by one port.
func (r *registry) begin(by InitiatorPort) *change {
	g := &change{registry: *r, by: by}
	g.Registrations = slices.Clone(r.Registrations)
	return g
}

func (g *change) apply(q *reserveRequest) *Reply {
	registers := q.action == actionRegister || q.action == actionRegisterAndIgnore
	if !registers && (g.key(g.by) == 0 || g.key(g.by) != q.key) {
		return conflict()
	}
	switch q.action {
	case actionRegister, actionRegisterAndIgnore:
		return g.register(q)
	case actionReserve:
		return g.reserve(q)
	case actionRelease:
		return g.release(q)
	case actionClear:
		return g.clear()
	case actionPreempt, actionPreemptAbort:
		return g.preempt(q)
	default:
		return g.move(q)
	}
}

// register is SPC-4 §5.12.7. SPEC_I_PT registers further ports, but not where
// this one is registered already.
func (g *change) register(q *reserveRequest) *Reply {
	own := g.key(g.by)
	if q.action == actionRegister && q.key != own {
		return conflict()
	}
	if own != 0 && q.specified {
		return refuse(*invalidParameter(20))
	}
	if own == 0 && q.newKey == 0 {
		return nil
	}
	g.generation++
	g.persist = q.persist
	if q.newKey == 0 {
		g.unregister(g.by)
		return nil
	}
	g.enter(registration{Port: g.by, Key: q.newKey, AllPorts: q.allPorts})
	for _, p := range q.ports {
		if g.key(p) == 0 {
			g.enter(registration{Port: p, Key: q.newKey, AllPorts: q.allPorts})
		}
	}
	return g.bounded()
}

func (g *change) enter(r registration) {
	if i := g.index(r.Port); i >= 0 {
		g.Registrations[i] = r
		return
	}
	g.Registrations = append(g.Registrations, r)
}

func (g *change) bounded() *Reply {
	if len(g.Registrations) > maxRegistrations {
		return refuse(senseNoRegistration)
	}
	return nil
}

// unregister ends a registration, and a reservation that it held (SPC-4
// §5.12.11.3).
func (g *change) unregister(p InitiatorPort) {
	held := g.holds(p)
	g.drop(func(r registration) bool { return r.Port == p })
	if held && (!g.Type.heldByAll() || len(g.Registrations) == 0) {
		g.free()
	}
}

// drop removes registrations and returns their ports.
func (g *change) drop(match func(registration) bool) (ports []InitiatorPort) {
	g.Registrations = slices.DeleteFunc(g.Registrations, func(r registration) bool {
		if match(r) {
			ports = append(ports, r.Port)
			return true
		}
		return false
	})
	return ports
}

// free ends the reservation; where registrants shared it they are told.
func (g *change) free() {
	if g.Type.shared() {
		g.tellRegistrants(senseReservationsReleased)
	}
	g.Type, g.Holder = 0, InitiatorPort{}
}

// tellRegistrants tells all registrants but the port that makes the change.
func (g *change) tellRegistrants(s Sense) {
	for _, r := range g.Registrations {
		g.tell(r.Port, s)
	}
}

func (g *change) tell(p InitiatorPort, s Sense) {
	if p != g.by {
		g.notices = append(g.notices, notice{p, s})
	}
}

// reserve is SPC-4 §5.12.9.
func (g *change) reserve(q *reserveRequest) *Reply {
	switch {
	case !q.reserves():
		return refuse(*invalidCDBField(2))
	case g.Type == 0:
		g.Type, g.Holder = q.kind, g.by
		return nil
	case g.holds(g.by) && g.Type == q.kind:
		return nil
	default:
		return conflict()
	}
}

// release is SPC-4 §5.12.11.2: without effect for a port that holds nothing.
func (g *change) release(q *reserveRequest) *Reply {
	if !g.holds(g.by) {
		return nil
	}
	if q.scope != 0 || q.kind != g.Type {
		return refuse(senseInvalidRelease)
	}
	g.free()
	return nil
}

// clear is SPC-4 §5.12.11.6.
func (g *change) clear() *Reply {
	g.generation++
	g.tellRegistrants(senseReservationsPreempted)
	g.Registrations, g.Type, g.Holder = nil, 0, InitiatorPort{}
	return nil
}
