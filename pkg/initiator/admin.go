package initiator

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/semaphore"
)

// Exit codes of iscsiadm(8).
const (
	exitDatabase       = 6
	exitSessionExists  = 15
	exitNoTarget       = 19
	exitNoObjects      = 21
	exitAuthentication = 24
)

const (
	// A dead portal costs loginTimeout times loginAttempts, and no more of the
	// caller's deadline.
	loginTimeout  = 10 * time.Second
	loginAttempts = 2
	noopInterval  = 5 * time.Second // a session whose portal is gone is known after two
)

// admin runs iscsiadm.
type admin struct {
	host        *host
	replacement time.Duration
	// records is held over changes of the node records: iscsiadm's own lock
	// file gives up after a while, and then fails with exit code 6.
	records *semaphore.Weighted
	files   func() (string, error) // the root directory of iscsiadm's files
	iface   string                 // of open-iscsi that logs in; "" = its default
}

// prepare writes the node record of one portal of one target: nothing in it
// makes iscsid log in by itself or the kernel scan by itself. c is what it logs in
// with, nil where nothing is asked for.
func (a *admin) prepare(ctx context.Context, iqn, portal string, c *CHAP) error {
	if err := a.records.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("node record %s: wait for the other writers: %w", iqn, err)
	}
	defer a.records.Release(1)
	err := a.run(ctx, append(a.node(iqn, portal), "-o", "new")...)
	if err != nil && code(err) != exitSessionExists {
		return fmt.Errorf("new node record %s at %s: %w", iqn, portal, err)
	}
	arguments := append(a.node(iqn, portal), "-o", "update")
	for _, s := range a.settings() {
		arguments = append(arguments, "-n", s.name, "-v", s.value)
	}
	if err := a.run(ctx, arguments...); err != nil {
		return fmt.Errorf("node record %s at %s: %w", iqn, portal, err)
	}
	if c == nil {
		return nil
	}
	d, err := a.database()
	if err != nil {
		return err
	}
	return d.prove(ctx, iqn, portal, cmp.Or(a.iface, hostInterface), *c)
}

// adopt has the node records of a user name log in with these credentials.
func (a *admin) adopt(ctx context.Context, c CHAP) error {
	if err := a.records.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("node records of user %s: wait for the other writers: %w", c.Username, err)
	}
	defer a.records.Release(1)
	d, err := a.database()
	if err != nil {
		return err
	}
	return d.adopt(ctx, c)
}

func (a *admin) database() (database, error) {
	root, err := a.files()
	if err != nil {
		return database{}, fmt.Errorf("node records: %w: %w", ErrDatabase, err)
	}
	return database{root}, nil
}

// node begins a command on the record of one portal of one target.
func (a *admin) node(iqn, portal string) []string {
	arguments := []string{"-m", "node", "-T", iqn, "-p", portal}
	if a.iface != "" {
		arguments = append(arguments, "-I", a.iface)
	}
	return arguments
}

type setting struct{ name, value string }

func (a *admin) settings() []setting {
	seconds := func(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }
	return []setting{
		{"node.startup", "manual"},
		{"node.conn[0].startup", "manual"},
		{"node.session.scan", "manual"},
		{"node.session.timeo.replacement_timeout", seconds(a.replacement)},
		{"node.session.initial_login_retry_max", strconv.Itoa(loginAttempts)},
		{"node.conn[0].timeo.login_timeout", seconds(loginTimeout)},
		{"node.conn[0].timeo.noop_out_interval", seconds(noopInterval)},
		{"node.conn[0].timeo.noop_out_timeout", seconds(noopInterval)},
	}
}

// login starts the session. One that iscsid says is there already is success
// too, and told, to be seen in sysfs by the caller.
func (a *admin) login(ctx context.Context, iqn, portal string) (there bool, err error) {
	err = a.run(ctx, append(a.node(iqn, portal), "--login")...)
	if code(err) == exitSessionExists {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("login to %s at %s: %w", iqn, portal, err)
	}
	return false, nil
}

// logout ends one session by its number.
func (a *admin) logout(ctx context.Context, sid string) error {
	if err := a.run(ctx, "-m", "session", "-r", sid, "--logout"); err != nil {
		return fmt.Errorf("logout of session %s: %w", sid, err)
	}
	return nil
}

// forget deletes the node records of the target; none is success.
func (a *admin) forget(ctx context.Context, iqn string) error {
	if err := a.records.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("delete node record %s: wait for the other writers: %w", iqn, err)
	}
	defer a.records.Release(1)
	err := a.run(ctx, "-m", "node", "-T", iqn, "-o", "delete")
	if err != nil && code(err) != exitNoObjects {
		return fmt.Errorf("delete node record %s: %w", iqn, err)
	}
	return nil
}

// stopDaemon ends iscsid; the next call that needs it starts it anew, by the
// command of the host's iscsid.conf. Sessions live through that and log in again;
// a login that is under way fails.
func (a *admin) stopDaemon(ctx context.Context) error {
	if err := a.run(ctx, "-k", "0"); err != nil {
		return fmt.Errorf("end iscsid: %w", err)
	}
	return nil
}

// run runs iscsiadm and says what its exit code means.
func (a *admin) run(ctx context.Context, arguments ...string) error {
	err := a.host.run(ctx, iscsiadm, arguments...)
	if exit := code(err); exit >= 0 {
		return fmt.Errorf("%w: %w", err, meaning(exit))
	}
	return err
}

// meaning is what an exit code is to the caller.
func meaning(exit int) error {
	switch exit {
	case exitDatabase:
		return ErrDatabase
	case exitNoTarget:
		return ErrNotFound
	case exitAuthentication:
		return ErrDenied
	}
	return ErrUnavailable
}
