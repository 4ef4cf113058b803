package stage

import (
	"context"
	"errors"
	"fmt"

	"github.com/san-csi/san-csi/pkg/filesystem"
	"github.com/san-csi/san-csi/pkg/initiator"
)

// The sentinel errors of the node's flows, wrapped with the operation, the
// volume and the numbers. What the caller's context ended comes as
// context.DeadlineExceeded or context.Canceled.
var (
	// ErrNotFound: the volume is not staged here, or not at that path.
	ErrNotFound = errors.New("not found")
	// ErrInvalid: a value that cannot be taken, or an epoch that is over.
	ErrInvalid = errors.New("invalid")
	// ErrBusy: something still uses the volume, or it is published elsewhere on this node.
	ErrBusy = errors.New("busy")
	// ErrConflict: staged or published already with other attributes.
	ErrConflict = errors.New("conflict")
	// ErrIdentity: the device is not the volume that was granted.
	ErrIdentity = errors.New("identity differs")
	// ErrForeignData: the device holds data that may not be formatted over.
	ErrForeignData = errors.New("holds data")
	// ErrCorrupt: the filesystem has errors that may not be repaired without being asked.
	ErrCorrupt = errors.New("filesystem has errors")
	// ErrTwin: another device of this node holds a filesystem of the same identity.
	ErrTwin = errors.New("another device shows the same filesystem")
	// ErrInFlight: another call on the same volume runs.
	ErrInFlight = errors.New("in progress")
	// ErrUnavailable: target, iscsid or device do not answer; retry.
	ErrUnavailable = errors.New("unavailable")
)

// faults maps what the rooms below report to what this one reports.
var faults = []struct{ from, to error }{
	{initiator.ErrInvalid, ErrInvalid},
	{initiator.ErrIdentity, ErrIdentity},
	{initiator.ErrBusy, ErrBusy},
	{initiator.ErrNotFound, ErrUnavailable},
	{initiator.ErrDenied, ErrUnavailable},
	{initiator.ErrDatabase, ErrUnavailable},
	{initiator.ErrUnavailable, ErrUnavailable},
	{filesystem.ErrInvalid, ErrInvalid},
	{filesystem.ErrBusy, ErrBusy},
	{filesystem.ErrForeignData, ErrForeignData},
	{filesystem.ErrCorrupt, ErrCorrupt},
	{filesystem.ErrTwin, ErrTwin},
	{filesystem.ErrUnreadable, ErrUnavailable},
}

// failed wraps what stopped an operation on a volume.
func failed(operation, volumeID string, err error) error {
	if err == nil {
		return nil
	}
	for _, f := range faults {
		if errors.Is(err, f.from) {
			return fmt.Errorf("%s %s: %w: %w", operation, volumeID, f.to, err)
		}
	}
	return fmt.Errorf("%s %s: %w", operation, volumeID, err)
}

// undecided reports whether a retry may find another answer, so that what was
// set up stays for it. After any other error the caller need not come back.
func undecided(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrBusy) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
