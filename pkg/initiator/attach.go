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

// Attach brings the LUN up: sessions, one scan of each for exactly this LUN, its
// disks, the identity gate, and a multipath map where the node makes one. It may
// be repeated, and then brings back what is missing. What shows another identity
// is ErrIdentity, and what this call set up is taken down again.
func (i *Initiator) Attach(ctx context.Context, t Target) (Device, error) {
	if err := t.Validate(); err != nil {
		return Device{}, err
	}
	listening, stop := context.WithCancel(ctx)
	defer stop()
	events := i.listen(listening)
	d, err := i.attach(ctx, events, t)
	if err != nil {
		return Device{}, fmt.Errorf("attach %s: %w", t.IQN, err)
	}
	klog.FromContext(ctx).Info("Attached", "target", t.IQN, "naa", t.NAA, "device", d.Path, "sizeBytes", d.SizeBytes)
	return d, nil
}

func (i *Initiator) attach(ctx context.Context, events <-chan struct{}, t Target) (Device, error) {
	if err := i.clearMap(ctx, events, t.NAA); err != nil {
		return Device{}, err
	}
	all, fresh, err := i.connect(ctx, events, t)
	if err != nil {
		return Device{}, err
	}
	paths, err := i.bringUp(ctx, events, all, t)
	var d Device
	if err == nil {
		d, err = i.choose(ctx, events, paths, t)
	}
	if errors.Is(err, ErrIdentity) {
		err = errors.Join(err, i.undo(ctx, events, all, fresh, t))
	}
	return d, err
}

// clearMap ends a map of the volume that has no path and no mount: what it has in
// memory is of an attachment that is over, and would be written with the first
// path that came. One that is mounted gets its paths back.
func (i *Initiator) clearMap(ctx context.Context, events <-chan struct{}, naa string) error {
	m, found, err := i.mapOf(naa)
	if err != nil || !found {
		return err
	}
	left, err := i.slaves(m.dev)
	if err != nil || len(left) > 0 || i.disk.Claimed(filepath.Join(i.dev, m.dev)) {
		return err
	}
	klog.FromContext(ctx).Info("Map without a path is ended before the login", "map", m.dev, "naa", naa)
	return i.dissolve(ctx, events, m, naa)
}

// bringUp makes the LUN's disk appear in each session. One path is enough; while
// another may serve, none is waited for very long.
func (i *Initiator) bringUp(ctx context.Context, events <-chan struct{}, all []session, t Target) ([]path, error) {
	var paths []path
	var failures []error
	for n, s := range all {
		last := n == len(all)-1 && len(paths) == 0
		p, err := i.bringUpOne(ctx, events, s, t, last)
		switch {
		case err == nil:
			paths = append(paths, p)
		case errors.Is(err, ErrIdentity) || ctx.Err() != nil:
			return nil, err
		default:
			failures = append(failures, err)
		}
	}
	err := errors.Join(failures...)
	if len(paths) == 0 {
		return nil, err
	}
	if err != nil {
		klog.FromContext(ctx).Error(err, "Paths of the target do not serve", "target", t.IQN)
	}
	return paths, nil
}

// bringUpOne brings up the disk of one session and passes it through the gate. A
// device that was there is asked again who it is: what the kernel remembers of
// it may be of the LUN's former volume.
func (i *Initiator) bringUpOne(ctx context.Context, events <-chan struct{}, s session, t Target, last bool) (path, error) {
	if !last {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, i.stagger)
		defer stop()
	}
	dir := s.lunDir(t.LUN)
	if exists(dir) {
		if err := i.refresh(ctx, dir); err != nil {
			return path{}, err
		}
		err := verify(dir, t.NAA)
		if err == nil {
			return i.pass(ctx, events, dir, t)
		}
		if !errors.Is(err, ErrIdentity) {
			return path{}, err
		}
		klog.FromContext(ctx).Error(err, "Stale device is deleted before the scan", "target", t.IQN)
		if err := i.drop(ctx, events, dir); err != nil {
			return path{}, err
		}
	}
	if err := i.scan(ctx, s, t.LUN); err != nil {
		return path{}, err
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

// undo takes down what a failed attach set up: its sessions, and what shows
// another identity. A path that served before serves on.
func (i *Initiator) undo(ctx context.Context, events <-chan struct{}, all, fresh []session, t Target) error {
	for _, s := range all {
		dir := s.lunDir(t.LUN)
		if !exists(dir) || !slices.Contains(fresh, s) && verify(dir, t.NAA) == nil {
			continue
		}
		if err := i.drop(ctx, events, dir); err != nil {
			return err
		}
	}
	if len(fresh) < len(all) {
		return nil
	}
	if err := i.end(ctx, events, t.IQN, fresh); err != nil {
		return err
	}
	return i.admin.forget(ctx, t.IQN)
}
