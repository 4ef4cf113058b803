package san

import (
	"context"
	"time"

	"github.com/san-csi/san-csi/pkg/qos"
)

// Snapshots keeps the content of volumes as it was. A volume is made of what is
// kept by CreateRequest.Source.
type Snapshots interface {
	// CreateSnapshot returns the snapshot of that name, making it if it is not
	// there. ErrExists where the name is taken by a snapshot of another volume;
	// ErrExhausted where the volume has as many as the array takes.
	CreateSnapshot(ctx context.Context, req SnapshotRequest) (*Snapshot, error)
	// GetSnapshot resolves a handle: ErrNotFound where it is gone.
	GetSnapshot(ctx context.Context, h SnapshotHandle) (*Snapshot, error)
	// DeleteSnapshot removes the snapshot; volumes made of it stay. One that is
	// not there is success; a member of a group is ErrInvalid.
	DeleteSnapshot(ctx context.Context, h SnapshotHandle) error
	// ListSnapshots returns this owner's snapshots, members of groups too, and the
	// place to go on from ("" = the end).
	ListSnapshots(ctx context.Context, q SnapshotQuery) ([]Snapshot, string, error)
	// CreateGroup returns the group of that name, making it if it is not there:
	// snapshots of several volumes at one moment. ErrExists where the name is
	// taken by a group of other volumes.
	CreateGroup(ctx context.Context, req GroupRequest) (*SnapshotGroup, error)
	// GetGroup resolves a handle: ErrNotFound where it is gone.
	GetGroup(ctx context.Context, h GroupHandle) (*SnapshotGroup, error)
	// DeleteGroup removes the group with its members. One that is not there is
	// success.
	DeleteGroup(ctx context.Context, h GroupHandle) error
}

// SnapshotRequest describes the snapshot wanted.
type SnapshotRequest struct {
	Name   string // the caller's name: the idempotency key, 1 to 128 bytes
	Source Handle
}

// GroupRequest describes the group wanted.
type GroupRequest struct {
	Name    string   // the caller's name: the idempotency key, 1 to 128 bytes
	Sources []Handle // each once
}

// SnapshotQuery says which snapshots are listed.
type SnapshotQuery struct {
	Source Handle // of this volume; the zero Handle = of any
	Start  string // the place to go on from that a list named; "" = the first
	Limit  int    // at most; 0 = no limit
}

// Snapshot is a volume's content as it was.
type Snapshot struct {
	Handle    SnapshotHandle
	Name      string // the caller's name; of a member of a group, the group's
	Source    Handle
	SourceQoS qos.Values // of the source now: what a clone has until its own is set
	SizeBytes int64      // a volume made of it has at least this
	Created   time.Time
	Ready     bool        // a volume can be made of it
	Group     GroupHandle // that it is a member of; the zero GroupHandle = none
}

// SnapshotGroup is the content of several volumes as it was at one moment.
type SnapshotGroup struct {
	Handle  GroupHandle
	Name    string // the caller's name
	Created time.Time
	Members []Snapshot
}

// Source is what a new volume's content is taken from: a volume as it is now, or
// a snapshot. The zero Source is none: the volume is empty.
type Source struct {
	Volume   Handle
	Snapshot SnapshotHandle
}

// IsZero tells that there is no source.
func (s Source) IsZero() bool { return s == Source{} }
