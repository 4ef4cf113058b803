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
	Recovering int // of the sessions, those that are not logged in
	Devices    []Device
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
	return m, nil
}

// Owner is where a device came from.
type Owner struct {
	IQN string // of the target
	NAA string // that the device shows
}

// lunPattern takes the session and the scsi device out of a disk's place in sysfs.
var lunPattern = regexp.MustCompile(`^(.*/(session\d+)/target[\d:]+/[\d:]+)/block/`)

// Owner finds the target of a device by its major:minor; ErrNotFound where it
// is gone or did not come over iSCSI.
func (i *Initiator) Owner(_ context.Context, number string) (Owner, error) {
	dir, err := filepath.EvalSymlinks(i.sysPath("dev", "block", number))
	if err != nil {
		return Owner{}, absent("device "+number, err)
	}
	match := lunPattern.FindStringSubmatch(dir + "/")
	if match == nil {
		return Owner{}, fmt.Errorf("device %s: not of an iSCSI session: %w", number, ErrNotFound)
	}
	_, iqn, err := i.session(match[2])
	if err != nil {
		return Owner{}, absent("session of device "+number, err)
	}
	names, err := identities(match[1])
	if err != nil {
		return Owner{}, fmt.Errorf("device %s: %w", number, err)
	}
	if len(names) != 1 {
		return Owner{}, fmt.Errorf("device %s of %s shows naa names %v, one expected: %w", number, iqn, names, ErrIdentity)
	}
	return Owner{IQN: iqn, NAA: names[0]}, nil
}
