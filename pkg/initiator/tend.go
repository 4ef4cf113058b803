package initiator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/klog/v2"
)

const (
	// looks is how often in a row a session is seen not to be logged in before it
	// is taken for one that iscsid cannot bring back: it tries every few seconds.
	looks       = 3
	dialTimeout = 2 * time.Second
)

// Tend watches, until the context ends, for sessions that iscsid cannot log in
// again because their secret was replaced: a running iscsid remembers the one it
// logged in with, whatever its records and the kernel say. Started anew, it takes
// the kernel's. With restart it is; sessions live through that, and the host's
// others log in again too. Without, it is told.
func (i *Initiator) Tend(ctx context.Context, interval time.Duration, restart bool) {
	if i.keyring == nil {
		return
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	away := map[string]int{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := i.tend(ctx, away, restart); err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Sessions whose secret was replaced cannot log in again")
		}
	}
}

// tend looks once; away counts the looks that a session was not logged in at.
func (i *Initiator) tend(ctx context.Context, away map[string]int, restart bool) error {
	lost, err := i.lost(away)
	if err != nil || len(lost) == 0 {
		return err
	}
	clear(away) // what is done about it takes a while to show
	for _, l := range lost {
		if !i.answers(ctx, l.sid) {
			continue
		}
		if !restart {
			return fmt.Errorf("session %s to %s: iscsid remembers a secret that is over; restart iscsid: %w", l.sid, l.target, ErrDenied)
		}
		klog.FromContext(ctx).Info("iscsid is restarted: it remembers a CHAP secret that is over", "session", l.sid, "target", l.target)
		if err := i.adoptSessions(ctx, l.chap); err != nil {
			return err
		}
		return i.admin.restart(ctx)
	}
	return nil
}

// lostSession is one that iscsid has not brought back for some looks, with what
// it should log in with.
type lostSession struct {
	sid, target string
	chap        CHAP
}

func (i *Initiator) lost(away map[string]int) ([]lostSession, error) {
	entries, err := os.ReadDir(i.sysPath("class", "iscsi_session"))
	if gone(err) {
		clear(away)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	d, err := i.admin.database()
	if err != nil {
		return nil, err
	}
	var found []lostSession
	for _, e := range entries {
		dir := i.sysPath("class", "iscsi_session", e.Name())
		username, _ := attribute(dir, "username")
		state, err := attribute(dir, "state")
		c, replaced, ours := i.keyring.Newest(username)
		if err != nil || state == loggedIn || !ours || replaced.IsZero() || !d.daemonOlder(replaced) {
			delete(away, e.Name())
			continue
		}
		if away[e.Name()]++; away[e.Name()] >= looks {
			target, _ := attribute(dir, "targetname")
			found = append(found, lostSession{strings.TrimPrefix(e.Name(), "session"), target, c})
		}
	}
	return found, nil
}

// daemonOlder tells that iscsid has run since before then, by the file that it
// writes when it starts. Where it has none, that is not known, and is no.
func (d database) daemonOlder(then time.Time) bool {
	info, err := os.Stat(filepath.Join(d.root, "run/iscsid.pid"))
	return err == nil && info.ModTime().Before(then)
}

// answers tells whether somebody listens where the session was made for: else it
// is no secret that keeps it from coming back.
func (i *Initiator) answers(ctx context.Context, sid string) bool {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", i.portal(sid))
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// restart ends iscsid and has it started again, as iscsiadm does where it finds
// none: by the command of the host's iscsid.conf, or by systemd's socket.
func (a *admin) restart(ctx context.Context) error {
	if err := a.run(ctx, "-k", "0"); err != nil {
		return fmt.Errorf("end iscsid: %w", err)
	}
	// At this level of detail iscsid is asked for its own view of the sessions.
	err := a.run(ctx, "-m", "session", "-P", "1")
	if err != nil && code(err) != exitNoObjects {
		return fmt.Errorf("iscsid was ended and does not come back, start it: %w", errors.Join(ErrUnavailable, err))
	}
	return nil
}
