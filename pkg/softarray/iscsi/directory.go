package iscsi

import (
	"context"
	"errors"
	"time"

	"github.com/san-csi/san-csi/pkg/softarray/scsi"
)

var (
	// ErrNoTarget: no such target; login status 0x0203 (RFC 7143 §11.13.5).
	ErrNoTarget = errors.New("target not found")
	// ErrForbidden: the initiator may not use the target; login status 0x0202.
	ErrForbidden = errors.New("not authorized")
)

// Directory knows the targets and who may use them. It is asked at discovery
// and at each login; answers are not cached.
type Directory interface {
	// Targets are the names a discovery session of this initiator may see.
	// account is the CHAP user it proved to be, "" without CHAP.
	Targets(initiator, account string) []string
	// Admit resolves a login of initiator to target: ErrNoTarget, ErrForbidden,
	// or what the session needs.
	Admit(initiator, target string) (*Admission, error)
	// Secrets are the CHAP secrets of a user name, for discovery sessions.
	Secrets(user string) (*CHAP, bool)
}

// Admission is what a login that is allowed gets.
type Admission struct {
	VolumeID    int64
	AccountID   int64
	AccountName string
	LUN         *scsi.LUN
	Throttle    Throttle
	Meter       Meter // may be nil
	// CHAP is nil where the initiator needs no authentication and has none to
	// offer. Required says that AuthMethod=None is refused.
	CHAP     *CHAP
	Required bool
}

// CHAP is one user's secrets: Initiator is what the initiator proves, Target
// what the array proves in mutual CHAP ("" = it cannot).
type CHAP struct {
	User      string
	Initiator string
	Target    string
}

// Throttle holds a volume to its ceiling.
type Throttle interface {
	// Admit returns when an I/O of n bytes may run, at once where it is not
	// throttled, or with the context's error.
	Admit(ctx context.Context, n int) error
}

// Meter counts the commands that read or write the medium.
type Meter interface {
	// Served is told of each that ended well, before its response is sent: n
	// bytes count against the ceiling; write says that data came with it.
	Served(write bool, n int, arrived, ended time.Time)
}
