package initiator

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
)

// Mapping is what the kernel has of a target.
type Mapping struct {
	Sessions   int
	Recovering int      // of the sessions, those that are not logged in
	Devices    []Device // its disks, and then the map of them
}

// Live reports whether anything is left of it.
func (m Mapping) Live() bool { return m.Sessions > 0 || len(m.Devices) > 0 }

// Mapping tells what is live of the target, by sysfs.
func (i *Initiator) Mapping(_ context.Context, iqn string) (Mapping, error) {
	all, err := i.sessions(iqn)
	if err != nil {
		return Mapping{}, fmt.Errorf("mapping of %s: %w", iqn, err)
	}
	dirs, err := lunsOf(all)
	if err != nil {
		return Mapping{}, fmt.Errorf("mapping of %s: %w", iqn, err)
	}
	m := Mapping{Sessions: len(all)}
	for _, s := range all {
		if s.state != loggedIn {
			m.Recovering++
		}
	}
	for _, dir := range dirs {
		d, err := i.blockDevice(dir)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return Mapping{}, fmt.Errorf("mapping of %s: %w", iqn, err)
		}
		m.Devices = append(m.Devices, d)
	}
	maps, err := i.mapsOver(dirs)
	if err != nil {
		return Mapping{}, fmt.Errorf("mapping of %s: %w", iqn, err)
	}
	for _, each := range maps {
		d, err := i.mapDevice(each)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return Mapping{}, fmt.Errorf("mapping of %s: %w", iqn, err)
		}
		m.Devices = append(m.Devices, d)
	}
	return m, nil
}

// Owner is where a device came from.
type Owner struct {
	IQN string // of the target
	NAA string // that the device shows
}

// lunPattern takes the session and the scsi device out of a disk's place in sysfs.
var lunPattern = regexp.MustCompile(`^(.*/(session\d+)/target[\d:]+/[\d:]+)/block/`)

// Owner finds the target of a disk, or of a multipath map, by its major:minor;
// ErrNotFound where it is gone or did not come over iSCSI.
func (i *Initiator) Owner(_ context.Context, number string) (Owner, error) {
	dir, err := filepath.EvalSymlinks(i.sysPath("dev", "block", number))
	if err != nil {
		return Owner{}, absent("device "+number, err)
	}
	if dev := filepath.Base(dir); i.isMap(dev) {
		return i.ownerOfMap(dev)
	}
	return i.ownerOf(number, dir)
}

// ownerOf finds the target of a disk by its place in sysfs.
func (i *Initiator) ownerOf(name, dir string) (Owner, error) {
	match := lunPattern.FindStringSubmatch(dir + "/")
	if match == nil {
		return Owner{}, fmt.Errorf("device %s: not of an iSCSI session: %w", name, ErrNotFound)
	}
	_, iqn, err := i.session(match[2])
	if err != nil {
		return Owner{}, absent("session of device "+name, err)
	}
	names, err := identities(match[1])
	if err != nil {
		return Owner{}, fmt.Errorf("device %s: %w", name, err)
	}
	if len(names) != 1 {
		return Owner{}, fmt.Errorf("device %s of %s shows naa names %v, one expected: %w", name, iqn, names, ErrIdentity)
	}
	return Owner{IQN: iqn, NAA: names[0]}, nil
}

// ownerOfMap goes by the map's paths, which all have to say the same. A map that
// has none left does not tell what target it was of.
func (i *Initiator) ownerOfMap(dev string) (Owner, error) {
	disks, err := i.slaves(dev)
	if err != nil {
		return Owner{}, err
	}
	if len(disks) == 0 {
		return Owner{}, fmt.Errorf("map %s has no path left that tells its target; multipath -f ends it once it is not mounted: %w", dev, ErrUnavailable)
	}
	var owner Owner
	for _, disk := range disks {
		dir, err := filepath.EvalSymlinks(i.sysPath("block", disk))
		if err != nil {
			return Owner{}, absent("path "+disk, err)
		}
		o, err := i.ownerOf(disk, dir)
		if err != nil {
			return Owner{}, err
		}
		if owner != (Owner{}) && o != owner || i.uuid(dev) != mapPrefix+naaPrefix+o.NAA {
			return Owner{}, fmt.Errorf("map %s (%s) has a path %s of %s with naa %s: %w", dev, i.uuid(dev), disk, o.IQN, o.NAA, ErrIdentity)
		}
		owner = o
	}
	return owner, nil
}
