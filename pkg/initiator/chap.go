package initiator

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/klog/v2"
)

// CHAP is what this node proves at a login, and what the target proves to it
// (RFC 7143 §12.1.3).
type CHAP struct {
	Username string
	Secret   Secret // that this node proves
	Target   Secret // that the target proves; "" = it need not
	// Generation grows with each new secret of the user name.
	Generation int64
}

// Secret is a secret that does not show in logs and errors.
type Secret string

// String hides the secret.
func (Secret) String() string { return "[secret]" }

// GoString hides the secret.
func (Secret) GoString() string { return "[secret]" }

// Keyring opens credentials that are sealed to this node, and keeps the newest
// of each user name: those of a Target stay as they were when its volume was
// attached.
type Keyring interface {
	// Candidates are what to try for the target, the best first. More than one:
	// it is not known which is in force. ErrBusy where nothing can be opened.
	Candidates(sealed, target, initiator string) ([]CHAP, error)
	// Newest are those kept of a user name; false where none are.
	Newest(username string) (CHAP, bool)
	// Keep keeps them in place of the former.
	Keep(c CHAP) error
}

// errNoKeyring is of a node that was not given one.
var errNoKeyring = fmt.Errorf("credentials are needed, and this node has no keyring: %w", ErrInvalid)

// candidates are the credentials to try, a nil one where none are needed.
func (i *Initiator) candidates(t Target) ([]*CHAP, error) {
	if t.Credentials == "" {
		return []*CHAP{nil}, nil
	}
	if i.keyring == nil {
		return nil, errNoKeyring
	}
	name, err := i.Name()
	if err != nil {
		return nil, err
	}
	opened, err := i.keyring.Candidates(t.Credentials, t.IQN, name)
	if err != nil {
		return nil, err
	}
	all := make([]*CHAP, len(opened))
	for n := range opened {
		all[n] = &opened[n]
	}
	return all, nil
}

// learn takes over the credentials that came with a target whose session is
// there already, so that what is logged in can log in again.
func (i *Initiator) learn(ctx context.Context, t Target) error {
	all, err := i.candidates(t)
	if err != nil || len(all) > 1 || all[0] == nil {
		return err
	}
	return i.adopt(ctx, *all[0], false)
}

// loginTo makes the session of one portal; said: iscsid has it already.
func (i *Initiator) loginTo(ctx context.Context, t Target, portal string) (said bool, err error) {
	all, err := i.candidates(t)
	if err != nil {
		return false, err
	}
	var denied []error
	for n, c := range all {
		said, err := i.loginWith(ctx, t.IQN, portal, c)
		if err == nil && c != nil {
			err = i.adopt(ctx, *c, n > 0)
		}
		if err == nil {
			return said, nil
		}
		denied = append(denied, err)
		if !errors.Is(err, ErrDenied) {
			break
		}
	}
	return false, errors.Join(denied...)
}

func (i *Initiator) loginWith(ctx context.Context, iqn, portal string, c *CHAP) (said bool, err error) {
	if err := i.admin.prepare(ctx, iqn, portal, c); err != nil {
		return false, err
	}
	return i.admin.login(ctx, iqn, portal)
}

// adopt has every later login of this user name use these credentials: those by
// its node records, and those of its sessions, by the kernel and iscsid. It may be
// repeated;
// that they are kept comes last. What is older than what is kept was overtaken,
// unless that was refused before these were taken.
func (i *Initiator) adopt(ctx context.Context, c CHAP, instead bool) error {
	if err := i.adopting.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("secret of %s: wait for another change of it: %w", c.Username, err)
	}
	defer i.adopting.Release(1)
	kept, ok := i.keyring.Newest(c.Username)
	if ok && (kept == c || kept.Generation > c.Generation && !instead) {
		return nil
	}
	if ok {
		klog.FromContext(ctx).Info("New CHAP secret: node records and sessions take it over", "username", c.Username)
	}
	if err := i.admin.adopt(ctx, c); err != nil {
		return fmt.Errorf("take over the new secret of %s: %w", c.Username, err)
	}
	stale, err := i.adoptSessions(ctx, c)
	if err == nil && stale > 0 {
		err = i.renew(ctx, c.Username)
	}
	if err != nil {
		return fmt.Errorf("take over the new secret of %s: %w", c.Username, err)
	}
	return i.keyring.Keep(c)
}
