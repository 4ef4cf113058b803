package initiator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"

	"k8s.io/klog/v2"
)

var (
	// No space, no leading dash: these go into argv and into file names.
	iqnPattern = regexp.MustCompile(`^(iqn|eui|naa)\.[A-Za-z0-9.:_-]{1,219}$`) // 223 bytes at most, RFC 7143 §4.2.7.1
	naaPattern = regexp.MustCompile(`^[0-9a-f]{16}([0-9a-f]{16})?$`)
)

// Validate refuses, with ErrInvalid, what no target can be.
func (t Target) Validate() error {
	if !iqnPattern.MatchString(t.IQN) {
		return fmt.Errorf("target %q: not an iSCSI name: %w", t.IQN, ErrInvalid)
	}
	if !naaPattern.MatchString(t.NAA) {
		return fmt.Errorf("target %s: naa %q: not 16 or 32 lower-case hex digits: %w", t.IQN, t.NAA, ErrInvalid)
	}
	for _, p := range t.Portals {
		if host, port, err := net.SplitHostPort(p); err != nil || host == "" || port == "" || host[0] == '-' {
			return fmt.Errorf("target %s: portal %q: not host:port: %w", t.IQN, p, ErrInvalid)
		}
	}
	return nil
}

// Attach brings the LUN up: a session, one scan for exactly this LUN, its
// disk, and the identity gate. It may be repeated. What shows another identity
// is ErrIdentity, and what this call set up is taken down again.
func (i *Initiator) Attach(ctx context.Context, t Target) (Device, error) {
	if err := t.Validate(); err != nil {
		return Device{}, err
	}
	listening, stop := context.WithCancel(ctx)
	defer stop()
	events := i.listen(listening)
	s, fresh, err := i.connect(ctx, events, t)
	if err != nil {
		return Device{}, fmt.Errorf("attach %s: %w", t.IQN, err)
	}
	d, err := i.bringUp(ctx, events, s, t)
	if errors.Is(err, ErrIdentity) {
		err = errors.Join(err, i.undo(ctx, events, s, t, fresh))
	}
	if err != nil {
		return Device{}, fmt.Errorf("attach %s: %w", t.IQN, err)
	}
	klog.FromContext(ctx).Info("Attached", "target", t.IQN, "naa", t.NAA, "device", d.Path, "sizeBytes", d.SizeBytes)
	return d, nil
}

// connect gives a session of the target that is logged in, and whether this
// call made it. Sessions are read from sysfs, never from iscsiadm's words.
func (i *Initiator) connect(ctx context.Context, events <-chan struct{}, t Target) (s session, fresh bool, err error) {
	all, err := i.sessions(t.IQN)
	if err != nil {
		return session{}, false, err
	}
	if err := i.foreign(all); err != nil {
		return session{}, false, err
	}
	said := false
	if len(all) > 0 {
		err = i.learn(ctx, t)
	} else {
		fresh = true
		said, err = i.login(ctx, t)
	}
	if err != nil {
		return session{}, fresh, err
	}
	s, err = i.loggedIn(ctx, events, t.IQN, said)
	return s, fresh, err
}

// loggedIn waits for a session in full feature phase. One that iscsid only says
// is there has to show soon: a logout that was cut off may have left it in the
// daemon's memory alone.
func (i *Initiator) loggedIn(ctx context.Context, events <-chan struct{}, iqn string, said bool) (s session, err error) {
	waiting := ctx
	if said {
		var stop context.CancelFunc
		waiting, stop = context.WithTimeout(ctx, i.patience)
		defer stop()
	}
	err = i.await(waiting, events, "session of "+iqn, func() (bool, error) {
		all, err := i.sessions(iqn)
		at := slices.IndexFunc(all, func(s session) bool { return s.state == loggedIn })
		if err != nil || at < 0 {
			return false, err
		}
		s = all[at]
		return true, nil
	})
	if err != nil && said && ctx.Err() == nil {
		return s, fmt.Errorf("iscsid says that a session of %s exists, the kernel has none that is logged in; if this stays, restart iscsid: %w", iqn, ErrUnavailable)
	}
	return s, err
}

// login tries the portals in their order; one is enough.
func (i *Initiator) login(ctx context.Context, t Target) (there bool, err error) {
	if len(t.Portals) == 0 {
		return false, fmt.Errorf("login to %s: no portal given: %w", t.IQN, ErrInvalid)
	}
	var failures []error
	for _, portal := range t.Portals {
		there, err := i.loginTo(ctx, t, portal)
		if err == nil {
			return there, nil
		}
		failures = append(failures, err)
	}
	return false, errors.Join(failures...)
}

// bringUp makes the LUN's disk appear and passes it through the gate. A device
// that was there is asked again who it is: what the kernel remembers of it may
// be of the LUN's former volume.
func (i *Initiator) bringUp(ctx context.Context, events <-chan struct{}, s session, t Target) (Device, error) {
	dir := s.lunDir(t.LUN)
	if exists(dir) {
		if err := i.refresh(ctx, dir); err != nil {
			return Device{}, err
		}
		err := verify(dir, t.NAA)
		if err == nil {
			return i.pass(ctx, events, dir, t)
		}
		if !errors.Is(err, ErrIdentity) {
			return Device{}, err
		}
		klog.FromContext(ctx).Error(err, "Stale device is deleted before the scan", "target", t.IQN)
		if err := i.drop(ctx, events, dir); err != nil {
			return Device{}, err
		}
	}
	if err := i.scan(ctx, s, t.LUN); err != nil {
		return Device{}, err
	}
	return i.pass(ctx, events, dir, t)
}

// scan asks for exactly one channel, target and LUN of one host.
func (i *Initiator) scan(ctx context.Context, s session, lun int) error {
	err := i.write(ctx, i.sysPath("class", "scsi_host", s.host, "scan"), fmt.Sprintf("0 0 %d", lun))
	if err != nil {
		return fmt.Errorf("scan %s for lun %d: %w: %w", s.host, lun, ErrUnavailable, err)
	}
	return nil
}

// refresh makes the kernel read the device's identity and size again.
func (i *Initiator) refresh(ctx context.Context, lunDir string) error {
	if err := i.write(ctx, filepath.Join(lunDir, "rescan"), "1"); err != nil && !gone(err) {
		return fmt.Errorf("rescan of %s: %w: %w", filepath.Base(lunDir), ErrUnavailable, err)
	}
	return nil
}

// undo takes down what a failed attach set up.
func (i *Initiator) undo(ctx context.Context, events <-chan struct{}, s session, t Target, fresh bool) error {
	if exists(s.lunDir(t.LUN)) {
		if err := i.drop(ctx, events, s.lunDir(t.LUN)); err != nil {
			return err
		}
	}
	if !fresh {
		return nil
	}
	if err := i.end(ctx, events, t.IQN, []session{s}); err != nil {
		return err
	}
	return i.admin.forget(ctx, t.IQN)
}
