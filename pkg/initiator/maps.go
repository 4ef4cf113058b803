package initiator

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/klog/v2"
)

// multipathd names a map after its WWID, and device-mapper's uuid has that name:
// the prefix, then scsi_id's "3" for an NAA name.
const (
	mapPrefix = "mpath-"
	naaPrefix = "3"
)

// mpath is a multipath map of the kernel.
type mpath struct {
	dev  string // dm-3
	name string // the one that multipathd and dm know it by
}

// mapOf finds the volume's map.
func (i *Initiator) mapOf(naa string) (m mpath, found bool, err error) {
	dirs, err := filepath.Glob(i.sysPath("block", "dm-*"))
	if err != nil {
		return mpath{}, false, fmt.Errorf("multipath maps: %w", err)
	}
	for _, dir := range dirs {
		if i.uuid(filepath.Base(dir)) != mapPrefix+naaPrefix+naa {
			continue
		}
		name, err := attribute(filepath.Join(dir, "dm"), "name")
		if gone(err) {
			continue
		}
		if err != nil {
			return mpath{}, false, fmt.Errorf("multipath map %s: %w", filepath.Base(dir), err)
		}
		return mpath{dev: filepath.Base(dir), name: name}, true, nil
	}
	return mpath{}, false, nil
}

// mapsOver are the maps that have one of the scsi devices as a path.
func (i *Initiator) mapsOver(lunDirs []string) ([]mpath, error) {
	var maps []mpath
	for _, dir := range lunDirs {
		names, err := entries(filepath.Join(dir, "block"))
		if err != nil {
			return nil, fmt.Errorf("disk of %s: %w", filepath.Base(dir), err)
		}
		for _, disk := range names {
			held, err := i.holders(disk)
			if err != nil {
				return nil, err
			}
			for _, dev := range held {
				name, err := attribute(i.sysPath("block", dev, "dm"), "name")
				m := mpath{dev: dev, name: name}
				if err == nil && i.isMap(dev) && !slices.Contains(maps, m) {
					maps = append(maps, m)
				}
			}
		}
	}
	return maps, nil
}

// uuid is device-mapper's, "" for what is no dm device.
func (i *Initiator) uuid(dev string) string {
	uuid, err := attribute(i.sysPath("block", dev, "dm"), "uuid")
	if err != nil {
		return "" // not one of its devices, or gone
	}
	return uuid
}

// slaves are the disks that a dm device is made of.
func (i *Initiator) slaves(dev string) ([]string, error) {
	names, err := entries(i.sysPath("block", dev, "slaves"))
	if err != nil {
		return nil, fmt.Errorf("slaves of %s: %w", dev, err)
	}
	return names, nil
}

// holders are the devices that are made of a disk.
func (i *Initiator) holders(dev string) ([]string, error) {
	names, err := entries(i.sysPath("block", dev, "holders"))
	if err != nil {
		return nil, fmt.Errorf("holders of %s: %w", dev, err)
	}
	return names, nil
}

// isMap reports whether the device is a multipath map, of whatever volume.
func (i *Initiator) isMap(dev string) bool { return strings.HasPrefix(i.uuid(dev), mapPrefix) }

// isPartition reports whether the device is one that kpartx made of a map's
// partition table: it goes with the map.
func (i *Initiator) isPartition(dev string) bool {
	part, rest, ok := strings.Cut(i.uuid(dev), "-")
	return ok && strings.HasPrefix(part, "part") && strings.HasPrefix(rest, mapPrefix)
}

// free refuses where a device carries one of the node's own besides those that
// are to be passed over: LVM that woke up by itself, say.
func (i *Initiator) free(dev string, pass func(holder string) bool) error {
	held, err := i.holders(dev)
	if err != nil {
		return err
	}
	held = slices.DeleteFunc(held, pass)
	if len(held) > 0 {
		return fmt.Errorf("%s is held by %s: %w", dev, strings.Join(held, ", "), ErrBusy)
	}
	return nil
}

// mapDevice is the map as a device; ErrNotFound where it is gone.
func (i *Initiator) mapDevice(m mpath) (Device, error) { return i.describe(i.sysPath("block", m.dev)) }

// Unqueue makes I/O to the volume's map fail where it has no path, instead of
// waiting for one: an umount has to come to its end. The map stays so. Where
// there is no map it does nothing.
func (i *Initiator) Unqueue(ctx context.Context, naa string) error {
	m, found, err := i.mapOf(naa)
	if err != nil || !found {
		return err
	}
	return i.unqueue(ctx, m)
}

func (i *Initiator) unqueue(ctx context.Context, m mpath) error {
	err := i.multipathd.tell(ctx, "disablequeueing map "+m.name)
	if errors.Is(err, errNoDaemon) {
		klog.FromContext(ctx).Error(err, "Map keeps its queueing", "map", m.dev)
		return nil
	}
	if err != nil && exists(i.sysPath("block", m.dev)) {
		return fmt.Errorf("map %s: %w: %w", m.dev, ErrUnavailable, err)
	}
	return nil
}

// dissolve ends a map in good order: no queueing, no holder, what it has written
// back, its WWID forgotten, then the map itself. Never by dmsetup: only
// multipathd, or multipath where the daemon is gone, knows what it is doing.
func (i *Initiator) dissolve(ctx context.Context, events <-chan struct{}, m mpath, naa string) error {
	if err := i.free(m.dev, i.isPartition); err != nil {
		return err
	}
	if err := i.unqueue(ctx, m); err != nil {
		return err
	}
	if d, err := i.mapDevice(m); err == nil {
		if err := i.flush(ctx, d); err != nil {
			return err
		}
	}
	i.forgetName(ctx, naa) // first: the daemon would make it again of the paths that are left
	return i.removeMap(ctx, events, m)
}

// forgetName undoes multipath -a. That it stays known does no harm but to the
// next single path of the volume, which multipathd would claim.
func (i *Initiator) forgetName(ctx context.Context, naa string) {
	if err := i.host.run(ctx, multipath, "-w", naaPrefix+naa); err != nil {
		klog.FromContext(ctx).Error(err, "WWID stays known to multipath", "naa", naa)
	}
}

// removeMap asks until the map is gone: udev may look into it a moment longer.
func (i *Initiator) removeMap(ctx context.Context, events <-chan struct{}, m mpath) error {
	patient, stop := context.WithTimeout(ctx, i.stagger)
	defer stop()
	var last error
	err := i.await(patient, events, "removal of map "+m.dev, func() (bool, error) {
		if !exists(i.sysPath("block", m.dev)) {
			return true, nil
		}
		last = i.multipathd.tell(patient, "del map "+m.name)
		if errors.Is(last, errNoDaemon) {
			last = i.host.run(patient, multipath, "-f", m.name)
		}
		return !exists(i.sysPath("block", m.dev)), nil
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("map %s (%s) does not go: %w: %w", m.dev, m.name, ErrBusy, errors.Join(last, err))
	}
	return err
}
