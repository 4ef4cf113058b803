package scsi

import "k8s.io/klog/v2"

// reserveOut is PERSISTENT RESERVE OUT. A change is kept, where APTPL asks for
// it, before it is in force, and in force before GOOD is told.
func reserveOut(l *LUN, c *Command, _, out []byte) Reply {
	q, sense := c.reserveRequest(out)
	if sense != nil {
		return Fail(*sense)
	}
	g, refused := l.changeRegistry(c.nexus, q)
	if refused != nil {
		return *refused
	}
	if q.action == actionPreemptAbort {
		// Outside of the lock: this waits for the commands of others.
		l.abort(c.nexus, g.preempted)
	}
	return good(nil)
}

func (l *LUN) changeRegistry(n *Nexus, q *reserveRequest) (*change, *Reply) {
	l.reserving.Lock()
	defer l.reserving.Unlock()
	if l.unitReserved() {
		return nil, conflict()
	}
	if q.persist && l.keeper == nil {
		return nil, refuse(*invalidParameter(20))
	}
	g := l.registry.begin(n.port)
	if refused := g.apply(q); refused != nil {
		return nil, refused
	}
	if err := l.keep(&g.registry); err != nil {
		klog.ErrorS(err, "Reservations could not be kept", "serial", l.id.EUI, "initiator", n.port.Name)
		return nil, refuse(senseInternal)
	}
	l.adopt(g)
	return g, nil
}

// adopt puts a change into force.
func (l *LUN) adopt(g *change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.registry = g.registry
	for n := range l.nexuses {
		l.bar(n)
		for _, told := range g.notices {
			if told.port == n.port {
				n.attention(told.sense)
			}
		}
	}
}

// abort ends the commands of preempted ports but those of the one that asked
// (SPC-4 §5.12.11.5), and returns when they cannot touch the medium any more.
func (l *LUN) abort(by *Nexus, ports []InitiatorPort) {
	for _, p := range ports {
		for _, n := range l.nexusesOf(p) {
			if n != by {
				n.tasks.AbortTasks()
			}
		}
	}
}

func (l *LUN) nexusesOf(p InitiatorPort) (found []*Nexus) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := range l.nexuses {
		if n.port == p {
			found = append(found, n)
		}
	}
	return found
}
