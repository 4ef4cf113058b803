package initiator

import (
	"context"
	"errors"
)

// end logs out the sessions and waits until the target has none.
func (i *Initiator) end(ctx context.Context, events <-chan struct{}, iqn string, all []session) error {
	for _, s := range all {
		if err := i.logout(ctx, events, s); err != nil {
			return err
		}
	}
	return i.await(ctx, events, "end of the sessions of "+iqn, func() (bool, error) {
		left, err := i.sessions(iqn)
		return err == nil && len(left) == 0, err
	})
}

// logout ends one session, and returns when the kernel has it no more. An iscsid
// that has just started, or that is in the midst of a login, does not take a
// logout yet: it is asked again.
func (i *Initiator) logout(ctx context.Context, events <-chan struct{}, s session) error {
	if i.stuck(s) {
		return i.endStuck(ctx, events, s)
	}
	patient, stop := context.WithTimeout(ctx, i.patience)
	defer stop()
	var refused error
	err := i.await(patient, events, "iscsid to take the logout of session "+s.sid, func() (bool, error) {
		// One that ended meanwhile is refused with one of several codes.
		refused = i.admin.logout(ctx, s.sid)
		return refused == nil || !i.alive(s), nil
	})
	if err != nil {
		return errors.Join(refused, err)
	}
	return i.await(ctx, events, "end of session "+s.sid, func() (bool, error) { return !i.alive(s), nil })
}

// alive reports whether the kernel has the session.
func (i *Initiator) alive(s session) bool {
	return exists(i.sysPath("class", "iscsi_session", "session"+s.sid))
}
