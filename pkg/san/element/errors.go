package element

import (
	"errors"
	"fmt"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// fail wraps an error of the array with operation, object and the sentinel that
// fits; one that carries a sentinel already keeps it.
func fail(operation string, object any, err error) error {
	for _, known := range []error{san.ErrNotFound, san.ErrExists, san.ErrInvalid, san.ErrOutOfRange,
		san.ErrExhausted, san.ErrBusy, san.ErrUnavailable} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s %v: %w", operation, object, err)
		}
	}
	return fmt.Errorf("%s %v: %w: %w", operation, object, sentinel(err), err)
}

// sentinel sorts the array's errors; what is not known may pass, so it is worth
// a retry. What never got an answer is that too, and the limits of jobs that run
// at once: xMaxClonesPerVolumeExceeded, xMaxClonesPerNodeExceeded,
// xMaxSnapshotsPerNodeExceeded, xSliceNotRegistered, xNotReadyForIO.
func sentinel(err error) error {
	var refusal *api.Error
	if !errors.As(err, &refusal) {
		return san.ErrUnavailable
	}
	switch refusal.Name {
	case api.XVolumeIDDoesNotExist, "xVolumeDoesNotExist", api.XQoSPolicyDoesNotExist, api.XVolumeAccessGroupIDDoesNotExist,
		api.XSnapshotIDDoesNotExist, api.XGroupSnapshotDoesNotExist:
		return san.ErrNotFound
	case api.XExceededLimit, api.XMaxSnapshotsPerVolumeExceeded, "xMaxVolumeCountExceeded", "xTotalCapacityExceeded":
		return san.ErrExhausted
	case api.XInvalidParameter, "xMissingParameter", "xInvalidParameterType", "xInvalidAPIParameter",
		"xUnrecognizedEnumString", api.XUnknownAccount, api.XAccountIDDoesNotExist:
		return san.ErrInvalid
	case api.XVolumeShrinkProhibited:
		return san.ErrOutOfRange
	}
	return san.ErrUnavailable
}

// gone tells that the array knows no such volume or snapshot.
func gone(err error) bool {
	return api.IsName(err, api.XVolumeIDDoesNotExist, "xVolumeDoesNotExist", api.XSnapshotIDDoesNotExist, api.XGroupSnapshotDoesNotExist)
}
