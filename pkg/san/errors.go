package san

import (
	"errors"
	"fmt"
)

// The sentinel errors of every SAN. They are wrapped with the operation, the
// object and the numbers; pkg/driver alone maps them to gRPC codes.
var (
	// ErrNotFound: the volume or initiator does not exist.
	ErrNotFound = errors.New("not found")
	// ErrExists: the name is taken by an object of another shape.
	ErrExists = errors.New("already exists with another shape")
	// ErrInvalid: a value that no array can take (message names field, value and bound).
	ErrInvalid = errors.New("invalid")
	// ErrOutOfRange: a size outside the array's bounds.
	ErrOutOfRange = errors.New("out of range")
	// ErrExhausted: the array has no room, or a limit of it is reached.
	ErrExhausted = errors.New("exhausted")
	// ErrBusy: the object is in a state that forbids the call (granted elsewhere, has snapshots).
	ErrBusy = errors.New("busy")
	// ErrUnavailable: the array cannot be reached or asks to retry.
	ErrUnavailable = errors.New("unavailable")
)

// FencedError refuses a grant to a node that kept a session on the volume when it
// was fenced, and has not confirmed yet that this is over. It is ErrUnavailable:
// the confirmation is on its way where the node works.
type FencedError struct {
	Volume Handle
	Node   Node
	Epoch  int64 // grants up to it, inclusive, have to be over
}

func (e *FencedError) Error() string {
	return fmt.Sprintf("node %s was fenced from volume %s while it had a session, and may still hold unwritten data of grants up to epoch %d: no new grant until it has confirmed that they are over: %v",
		e.Node, e.Volume, e.Epoch, ErrUnavailable)
}

// Unwrap is the sentinel.
func (e *FencedError) Unwrap() error { return ErrUnavailable }
