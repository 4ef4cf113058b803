package filesystem

import "fmt"

// Claim is what the caller wants of a device and what it knows of its past.
type Claim struct {
	FSType      string
	Blank       bool // the controller made the volume empty and gave it no content
	Interrupted bool // this node began an mkfs of this very device under this grant, and did not end it
	ReadOnly    bool
}

// Admit is the format gate: it reports whether the device is to be formatted,
// or refuses. False without an error means that it holds the filesystem wanted.
func (c Content) Admit(claim Claim) (format bool, err error) {
	switch {
	case claim.ReadOnly && c.Type != claim.FSType:
		return false, fmt.Errorf("%s: %s, %s wanted, and read-only: stage it once writable: %w", c.Device, c, claim.FSType, ErrForeignData)
	case claim.Interrupted:
		return true, nil
	case c.Type == claim.FSType && c.Twin != "":
		return false, fmt.Errorf("%s: its fsid is that of %s too, and the kernel cannot tell them apart: stage it on another node, or take the other one off this node: %w", c.Device, c.Twin, ErrTwin)
	case c.Type == claim.FSType:
		return false, nil
	case c.Type != "":
		return false, fmt.Errorf("%s: %s, %s wanted: name that filesystem in the class, or wipe the volume by hand: %w", c.Device, c, claim.FSType, ErrForeignData)
	case !c.Zero:
		return false, fmt.Errorf("%s: no known signature, but not empty either: wipe the volume by hand if nothing on it is needed: %w", c.Device, ErrForeignData)
	case !claim.Blank:
		return false, fmt.Errorf("%s: no %s on it, and not a volume that was made empty (a clone, an import or a restore): format it by hand if that is meant: %w", c.Device, claim.FSType, ErrForeignData)
	}
	return true, nil
}

// String says what is held.
func (c Content) String() string {
	switch {
	case c.Type != "":
		return "holds " + c.Type
	case c.Zero:
		return "holds nothing"
	}
	return "holds unknown data"
}
