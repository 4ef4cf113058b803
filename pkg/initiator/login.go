package initiator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"

	"k8s.io/klog/v2"
)

// errRemembered: iscsid says that there is a session, the kernel has none.
var errRemembered = errors.New("iscsid remembers a session that the kernel has not")

// connect gives the sessions of the target that are logged in, and those of them
// that this call made. An iscsid that remembers one which was ended past it would
// let nobody log in there again: it is restarted.
func (i *Initiator) connect(ctx context.Context, events <-chan struct{}, t Target) (all, fresh []session, err error) {
	all, fresh, err = i.connectOnce(ctx, events, t)
	if !errors.Is(err, errRemembered) || i.keepIscsid {
		return all, fresh, err
	}
	klog.FromContext(ctx).Info("iscsid is restarted, so that it forgets a session that the kernel has not", "target", t.IQN)
	if err := i.admin.stopDaemon(ctx); err != nil {
		return nil, nil, err
	}
	return i.connectOnce(ctx, events, t)
}

// connectOnce does so with the iscsid that runs. Sessions are read from sysfs,
// never from iscsiadm's words.
//
// Two portals or more are used together where multipathd makes one device of
// them; otherwise one is enough, the first that answers.
func (i *Initiator) connectOnce(ctx context.Context, events <-chan struct{}, t Target) (all, fresh []session, err error) {
	before, err := i.sessions(t.IQN)
	if err != nil {
		return nil, nil, err
	}
	if err := i.foreign(before); err != nil {
		return nil, nil, err
	}
	if len(before) > 0 {
		if err := i.learn(ctx, t); err != nil {
			return nil, nil, err
		}
	}
	said := false
	if len(t.Portals) > 1 && i.multipathd.runs(ctx) {
		said, err = i.loginAll(ctx, t, missing(before, t.Portals))
	} else if len(before) == 0 {
		said, err = i.loginOne(ctx, t)
	}
	if err != nil && len(before) == 0 {
		return nil, nil, err
	}
	if err != nil {
		klog.FromContext(ctx).Error(err, "Paths of the target are missing", "target", t.IQN)
	}
	all, err = i.loggedIn(ctx, events, t.IQN, said)
	fresh = slices.DeleteFunc(slices.Clone(all), func(s session) bool {
		return slices.ContainsFunc(before, func(b session) bool { return b.sid == s.sid })
	})
	return all, fresh, err
}

// missing are the portals that no session was made for.
func missing(sessions []session, portals []string) []string {
	return slices.DeleteFunc(slices.Clone(portals), func(p string) bool {
		return slices.ContainsFunc(sessions, func(s session) bool { return samePortal(s.portal, p) })
	})
}

// samePortal compares host:port; an IPv6 address may be written in many ways.
func samePortal(a, b string) bool {
	x, errX := netip.ParseAddrPort(a)
	y, errY := netip.ParseAddrPort(b)
	return a == b || errX == nil && errY == nil && x == y
}

// loginOne tries the portals in their order.
func (i *Initiator) loginOne(ctx context.Context, t Target) (said bool, err error) {
	if len(t.Portals) == 0 {
		return false, fmt.Errorf("login to %s: no portal given: %w", t.IQN, ErrInvalid)
	}
	var failures []error
	for _, portal := range t.Portals {
		said, err := i.loginTo(ctx, t, portal)
		if err == nil {
			return said, nil
		}
		failures = append(failures, err)
	}
	return false, errors.Join(failures...)
}

// loginAll tries the portals at once, and waits for each: what iscsid has begun
// nobody can call off, and a session that came later would be nobody's. One of
// them is enough.
func (i *Initiator) loginAll(ctx context.Context, t Target, portals []string) (said bool, err error) {
	failures := make([]error, len(portals))
	saids := make([]bool, len(portals))
	var all sync.WaitGroup
	for n, portal := range portals {
		all.Go(func() { saids[n], failures[n] = i.loginTo(ctx, t, portal) })
	}
	all.Wait()
	err = errors.Join(failures...)
	if slices.Contains(failures, nil) && err != nil {
		klog.FromContext(ctx).Error(err, "Some portals of the target do not answer", "target", t.IQN)
		err = nil
	}
	return slices.Contains(saids, true), err
}

// loggedIn waits for a session in full feature phase, and gives all that are.
// One that iscsid only says is there has to show soon.
func (i *Initiator) loggedIn(ctx context.Context, events <-chan struct{}, iqn string, said bool) (all []session, err error) {
	waiting := ctx
	if said {
		var stop context.CancelFunc
		waiting, stop = context.WithTimeout(ctx, i.patience)
		defer stop()
	}
	known := 0
	err = i.await(waiting, events, "session of "+iqn, func() (bool, error) {
		all, err = i.sessions(iqn)
		known = len(all)
		all = slices.DeleteFunc(all, func(s session) bool { return s.state != loggedIn })
		return len(all) > 0, err
	})
	if err != nil && said && known == 0 && ctx.Err() == nil {
		return nil, fmt.Errorf("session of %s: %w: if this stays, restart iscsid: %w", iqn, errRemembered, ErrUnavailable)
	}
	return all, err
}

// portal is where a session was made for, "" while it has no connection. A login
// may have been redirected since (RFC 7143 §11.13.5): the persistent address is
// the one before that.
func (i *Initiator) portal(sid string) string {
	connection := i.sysPath("class", "iscsi_connection", "connection"+sid+":0")
	host, err := attribute(connection, "persistent_address")
	if err != nil {
		return ""
	}
	port, err := attribute(connection, "persistent_port")
	if err != nil {
		return ""
	}
	return net.JoinHostPort(host, port)
}
