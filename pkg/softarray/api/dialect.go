package api

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Dialect is how the array behaves where no source tells how the real one does
// or where sources differ. The zero value is what was chosen; each switch is
// the other choice, so that clients can be tested against both. Decided without
// a switch:
//
//   - Values out of their range, too long, too large or too many are
//     xExceededLimit; values that contradict each other and names of a wrong
//     form are xInvalidParameter.
//   - PurgeDeletedVolume of an active volume is refused by xInvalidParameter.
//   - The API's version in the path changes no shape: clients mix versions.
//   - clusterIOPSAreOverProvisioned clears at the first check after the floors
//     fit again.
type Dialect struct {
	// SpecificErrors names errors of full arrays as some clients expect them:
	// xTotalCapacityExceeded and xMaxVolumeCountExceeded, not xExceededLimit.
	SpecificErrors bool
	// StrictBurst refuses a maxIOPS above the burstIOPS that was not given,
	// instead of raising it.
	StrictBurst bool
	// RepeatableDelete lets DeleteVolume of a deleted volume succeed.
	RepeatableDelete bool
	// SevereFloors raises clusterIOPSAreOverProvisioned as an error, not a warning.
	SevereFloors bool
	// CloneResultSource tells the source's volumeID in the result of a clone.
	CloneResultSource bool
	// OldLimits are those of older releases and of some pages of documentation:
	// 64 initiators in an access group and 4 access groups for a volume.
	OldLimits bool
}

// switches are the fields by the names that Set takes.
func (d *Dialect) switches() map[string]*bool {
	return map[string]*bool{
		"specific-errors":     &d.SpecificErrors,
		"strict-burst":        &d.StrictBurst,
		"repeatable-delete":   &d.RepeatableDelete,
		"severe-floors":       &d.SevereFloors,
		"clone-result-source": &d.CloneResultSource,
		"old-limits":          &d.OldLimits,
	}
}

// Set turns on the switches of a list of names, separated by commas; with
// String it makes a Dialect a flag.
func (d *Dialect) Set(list string) error {
	switches := d.switches()
	for name := range strings.SplitSeq(list, ",") {
		on, known := switches[strings.TrimSpace(name)]
		if !known {
			return fmt.Errorf("%q is not one of %s", name, strings.Join(slices.Sorted(maps.Keys(switches)), ", "))
		}
		*on = true
	}
	return nil
}

// String is the names of what is on.
func (d *Dialect) String() string {
	var names []string
	for name, on := range d.switches() {
		if *on {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

// capacityError is the name of the error where bytes run out.
func (d Dialect) capacityError() string {
	if d.SpecificErrors {
		return "xTotalCapacityExceeded"
	}
	return exceededLimit
}

// countError is the name of the error where there are too many volumes.
func (d Dialect) countError() string {
	if d.SpecificErrors {
		return "xMaxVolumeCountExceeded"
	}
	return exceededLimit
}

func (d Dialect) floorsSeverity() string {
	if d.SevereFloors {
		return severityError
	}
	return severityWarning
}

func (d Dialect) initiatorsPerGroup() int64 {
	if d.OldLimits {
		return 64
	}
	return 128
}

func (d Dialect) groupsPerVolume() int64 {
	if d.OldLimits {
		return 4
	}
	return 64
}
