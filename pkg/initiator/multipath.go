package initiator

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/klog/v2"
)

// path is one way to the LUN: a scsi device that has passed the gate.
type path struct {
	dir string // of the scsi device in sysfs
	Device
}

// choose gives the device to use: the volume's map where there is one, or has to
// be one, else the path.
//
// With two portals or more and multipathd at hand the map is required, and made.
// With one portal multipathd may claim the path all the same: it is asked. What
// it does not claim then and is mounted, it cannot claim later: the kernel gives
// a disk to one of them only.
func (i *Initiator) choose(ctx context.Context, events <-chan struct{}, paths []path, t Target) (Device, error) {
	m, found, err := i.mapOf(t.NAA)
	if err != nil {
		return Device{}, err
	}
	if !found {
		if !i.multipathd.runs(ctx) {
			if len(t.Portals) > 1 {
				klog.FromContext(ctx).Info("One path is used: multipathd does not run", "target", t.IQN, "portals", len(t.Portals))
			}
			return paths[0].Device, nil
		}
		if at := slices.IndexFunc(paths, func(p path) bool { return i.disk.Claimed(p.Path) }); at >= 0 {
			// Mounted before multipathd came. What else has it is in the way of the map.
			return paths[at].Device, i.free(paths[at].Name, i.isMap)
		}
		if len(t.Portals) == 1 {
			m, found, err = i.ask(ctx, events, paths[0], t.NAA)
		} else {
			m, found, err = i.require(ctx, events, paths, t.NAA)
		}
		if err != nil || !found {
			return paths[0].Device, err
		}
	}
	if err := i.join(ctx, events, m, paths); err != nil {
		return Device{}, err
	}
	return i.passMap(ctx, events, m, t)
}

// ask has multipathd decide on the path. Its refusal may mean that udev has not
// read the disk's name yet, and is asked again; for good it is a no.
func (i *Initiator) ask(ctx context.Context, events <-chan struct{}, p path, naa string) (m mpath, found bool, err error) {
	patient, stop := context.WithTimeout(ctx, i.stagger)
	defer stop()
	var said error
	err = i.await(patient, events, "multipathd's word on "+p.Name, func() (bool, error) {
		said = i.multipathd.tell(patient, "add path "+p.Name)
		return said == nil || errors.Is(said, errNoDaemon) || errors.Is(said, errBlacklisted), nil
	})
	if ctx.Err() != nil {
		return mpath{}, false, err
	}
	if said != nil && !errors.Is(said, errBlacklisted) {
		klog.FromContext(ctx).Error(said, "The path is used: multipathd does not take it", "device", p.Path)
	}
	return i.mapOf(naa)
}

// require makes the map of at least one path.
func (i *Initiator) require(ctx context.Context, events <-chan struct{}, paths []path, naa string) (m mpath, found bool, err error) {
	if err := i.host.run(ctx, multipath, "-a", naaPrefix+naa); err != nil {
		return mpath{}, false, fmt.Errorf("make the map %s%s: %w: %w", naaPrefix, naa, ErrUnavailable, err)
	}
	var said error
	err = i.await(ctx, events, "map of "+naa, func() (bool, error) {
		for _, p := range paths {
			if said = i.multipathd.tell(ctx, "add path "+p.Name); errors.Is(said, errBlacklisted) {
				return false, fmt.Errorf("multipathd does not take %s: %w: %w", p.Name, ErrUnavailable, said)
			}
		}
		m, found, err = i.mapOf(naa)
		return found, err
	})
	if err != nil {
		forgetting, stop := context.WithTimeout(context.WithoutCancel(ctx), i.stagger)
		defer stop()
		i.forgetName(forgetting, naa)
		return m, found, errors.Join(err, said)
	}
	return m, found, nil
}

// join brings the paths that the map does not have into it. One that multipathd
// does not take within the initiator's patience joins later, by multipathd.
func (i *Initiator) join(ctx context.Context, events <-chan struct{}, m mpath, paths []path) error {
	patient, stop := context.WithTimeout(ctx, i.stagger)
	defer stop()
	var missing []string
	var said error
	err := i.await(patient, events, "paths of "+m.dev, func() (bool, error) {
		have, err := i.slaves(m.dev)
		if err != nil {
			return false, err
		}
		missing = nil
		for _, p := range paths {
			if slices.Contains(have, p.Name) {
				continue
			}
			missing = append(missing, p.Name)
			if said = i.multipathd.tell(patient, "add path "+p.Name); errors.Is(said, errNoDaemon) {
				return true, nil
			}
		}
		return len(missing) == 0, nil
	})
	if len(missing) > 0 && ctx.Err() == nil {
		klog.FromContext(ctx).Error(errors.Join(said, err), "Paths are not in the map yet", "map", m.dev, "paths", missing)
		return nil
	}
	return err
}

// passMap waits for the map and passes it through the gate, as its paths were.
func (i *Initiator) passMap(ctx context.Context, events <-chan struct{}, m mpath, t Target) (Device, error) {
	var d Device
	err := i.await(ctx, events, "map "+m.dev, func() (done bool, err error) {
		if uuid := i.uuid(m.dev); uuid != mapPrefix+naaPrefix+t.NAA {
			return false, fmt.Errorf("map %s has uuid %q, expected that of naa %s: %w", m.dev, uuid, t.NAA, ErrIdentity)
		}
		d, err = i.mapDevice(m)
		if errors.Is(err, ErrNotFound) {
			return false, nil
		}
		if err != nil || !i.nodeOf(d) {
			return false, err
		}
		if d.SizeBytes < t.SizeBytes {
			// Its paths are large enough by now.
			return false, i.resizeMap(ctx, m)
		}
		err = i.judge(ctx, i.sysPath("block", m.dev), d, t)
		return err == nil, stillComing(err)
	})
	return d, err
}

// resizeMap has multipathd take over the size of the paths.
func (i *Initiator) resizeMap(ctx context.Context, m mpath) error {
	err := i.multipathd.tell(ctx, "resize map "+m.name)
	if err != nil && !errors.Is(err, errRefused) {
		return fmt.Errorf("resize map %s: %w: %w", m.dev, ErrUnavailable, err)
	}
	return nil // refused: not all paths show the size yet, or the map has it
}
