package api

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// The error names that clients tell apart; Dialect says what stands for those
// that no source names.
const (
	unknownAPIMethod       = "xUnknownAPIMethod"
	missingParameter       = "xMissingParameter"
	invalidParameter       = "xInvalidParameter"
	invalidParameterType   = "xInvalidParameterType"
	invalidAPIParameter    = "xInvalidAPIParameter"
	unrecognizedEnumString = "xUnrecognizedEnumString"
	exceededLimit          = "xExceededLimit"
	unknownAccount         = "xUnknownAccount"
	accountDoesNotExist    = "xAccountIDDoesNotExist"
	duplicateUsername      = "xDuplicateUsername"
	volumeDoesNotExist     = "xVolumeIDDoesNotExist"
	shrinkProhibited       = "xVolumeShrinkProhibited"
	groupDoesNotExist      = "xVolumeAccessGroupIDDoesNotExist"
	alreadyInGroup         = "xAlreadyInVolumeAccessGroup"
	notInGroup             = "xNotInVolumeAccessGroup"
	initiatorExists        = "xInitiatorExists"
	initiatorDoesNotExist  = "xInitiatorDoesNotExist"
	policyDoesNotExist     = "xQoSPolicyDoesNotExist"
	snapshotDoesNotExist   = "xSnapshotIDDoesNotExist"
	groupSnapshotUnknown   = "xGroupSnapshotDoesNotExist"
	maxSnapshotsPerVolume  = "xMaxSnapshotsPerVolumeExceeded"
	maxClonesPerVolume     = "xMaxClonesPerVolumeExceeded"
	maxClonesPerNode       = "xMaxClonesPerNodeExceeded"
	sliceNotRegistered     = "xSliceNotRegistered"
	asyncHandleUnknown     = "xAsyncHandleDoesNotExist"
	internalError          = "xInternalError"
)

// errorCode is what the array puts into every error; clients turn 400 into
// something else and test for non-zero.
const errorCode = 500

// apiError is an error as it travels.
type apiError struct {
	Code    int    `json:"code"`
	Name    string `json:"name"`
	Message string `json:"message"`
}

func (e *apiError) Error() string { return e.Name + ": " + e.Message }

func failf(name, format string, args ...any) error {
	return &apiError{Code: errorCode, Name: name, Message: fmt.Sprintf(format, args...)}
}

// missing turns the store's ErrNotFound into the API's error of that name.
func missing(err error, name, format string, args ...any) error {
	if errors.Is(err, store.ErrNotFound) {
		return failf(name, format, args...)
	}
	return err
}

// within checks a number or a length against its bounds.
func within(field string, value, low, high int64) error {
	if value < low || value > high {
		return failf(exceededLimit, "%s %d is out of range: %d to %d", field, value, low, high)
	}
	return nil
}

// room checks that one more of n things may exist.
func room(what string, n, limit int64) error {
	if n >= limit {
		return failf(exceededLimit, "Exceeded maximum number of %s: %d", what, limit)
	}
	return nil
}

func oneOf(field, value string, allowed ...string) error {
	for _, a := range allowed {
		if a == value {
			return nil
		}
	}
	quoted, err := json.Marshal(allowed)
	if err != nil {
		return err
	}
	return failf(unrecognizedEnumString, "%s: %s is not one of %s", value, field, quoted)
}

func isNamed(err error, name string) bool {
	e, ok := errors.AsType[*apiError](err)
	return ok && e.Name == name
}
