// Package san is the SAN as the controller sees it: the types, the small
// interfaces and the sentinel errors that every array family implements.
// The conformance suite for implementations is san/santest.
//
// Sizes are bytes; IOPS are of 4 KiB.
package san

import (
	"context"
	"time"

	"github.com/san-csi/san-csi/pkg/qos"
)

// Array is one SAN. Every call takes a context, honours its deadline and may be
// repeated; errors wrap the sentinels of this package.
type Array interface {
	Volumes
	Snapshots
	Access
	Pool
}

// Volumes makes and changes LUNs.
type Volumes interface {
	// Create returns the volume of that name, making it if it is not there.
	// ErrExists where the name is taken by a volume of a size outside
	// [SizeBytes, LimitBytes], of another source or of another owner. One that has
	// a source is as large as that at least, and has the request's QoS, never the
	// source's; where its content is not there in time, ErrUnavailable: the retry
	// goes on with it.
	Create(ctx context.Context, req CreateRequest) (*Volume, error)
	// Find looks a name up: ErrNotFound where no volume of this owner that was
	// handed out has it.
	Find(ctx context.Context, name, account string) (*Volume, error)
	// Get resolves a handle. ErrNotFound where it is gone, deleted or another
	// volume came to its number.
	Get(ctx context.Context, h Handle) (*Volume, error)
	// Delete removes the volume: for good, which purged tells, unless it was made
	// to stay in the array's recycle bin. A volume that is not there is success;
	// one that is granted or has snapshots is ErrBusy.
	Delete(ctx context.Context, h Handle) (purged bool, err error)
	// Modify changes what the change gives and leaves the rest as it is. What was
	// asked for before it, by a process that died, does not change the volume after.
	Modify(ctx context.Context, h Handle, c Change) (*Volume, error)
	// List returns at most limit volumes of this owner, from the place that
	// start names ("" = the first), and the place to go on from ("" = the end).
	List(ctx context.Context, start string, limit int) ([]Volume, string, error)
}

// Access grants volumes to nodes and takes them back.
type Access interface {
	// Grant lets the node's initiator reach the volume. ErrBusy where another
	// node holds it and the mode is not shared; ErrExists where this node holds
	// it in another mode; a FencedError where this node has to confirm first that
	// nothing of an earlier grant is left.
	Grant(ctx context.Context, h Handle, n Node, m Mode) (*Grant, error)
	// Revoke is a fence: when it returns nil, the node's initiator can no longer
	// write to the volume. The zero Node revokes every grant of ours. A node that
	// kept a session when it was fenced is barred: it may hold what it has not
	// written yet, and gets no grant of the volume until it has confirmed that all
	// of it is over.
	Revoke(ctx context.Context, h Handle, n Node) error
	// Barred is the epoch up to which the node has to confirm; 0 = it is not barred.
	Barred(ctx context.Context, h Handle, n Node) (epoch int64, err error)
	// Confirm takes note that nothing of the volume's grants up to that epoch is
	// left on the node, nor can come back. A volume that is gone is success.
	Confirm(ctx context.Context, h Handle, n Node, epoch int64) error
}

// Pool tells what the array is and what it still has.
type Pool interface {
	// Identity names the array for ever.
	Identity(ctx context.Context) (Identity, error)
	// Limits are the array's own bounds.
	Limits(ctx context.Context) (Limits, error)
	// Capacity is what the array says it can hold and do.
	Capacity(ctx context.Context) (Capacity, error)
	// InForce is what a volume of that QoS would have: what the QoS leaves out
	// comes from the array's defaults, or from the policy.
	InForce(ctx context.Context, q QoS) (qos.Values, error)
	// Promises are what every volume of the array holds, whoever made it; also
	// deleted ones, which hold it until they are purged.
	Promises(ctx context.Context) ([]Promise, error)
	// Usage is what the volumes of those numbers do at present.
	Usage(ctx context.Context, volumes []int64) (map[int64]Usage, error)
	// Health is what the array says is wrong with it.
	Health(ctx context.Context) (Health, error)
	// Sweep removes what calls that were cut off left behind: volumes made but
	// never handed out, access that nobody was granted.
	Sweep(ctx context.Context) error
}

// Owner says whose a volume is; it is kept with the volume on the array.
type Owner struct {
	Cluster      string // the Kubernetes cluster, as the driver's flag names it
	PVC          string // namespace/name; may be empty
	PV           string // may be empty
	StorageClass string // may be empty
}

// CreateRequest describes the volume wanted.
type CreateRequest struct {
	Name       string // the caller's name: the idempotency key, 1 to 128 bytes
	SizeBytes  int64  // at least
	LimitBytes int64  // at most; 0 = no limit
	QoS        QoS
	Source     Source // of its content
	Account    string // tenant account on the array; "" = the configured one
	Owner      Owner
	Note       string // the caller's own, kept with the volume; at most NoteLength bytes
	Keep       bool   // once deleted, it stays in the array's recycle bin
}

// NoteLength bounds a volume's note, bytes.
const NoteLength = 200

// QoS is either a named policy of the array or values; the zero value is the
// array's default.
type QoS struct {
	Policy string
	Values qos.Values // members that are 0 take the array's default
}

// Change is what Modify changes; nil and zero members stay as they are.
type Change struct {
	SizeBytes  int64 // grow to at least; smaller than the present size is no change
	LimitBytes int64 // at most; 0 = no limit
	QoS        *QoS
	Note       *string
}

// Volume is one LUN.
type Volume struct {
	Handle    Handle
	Name      string // the caller's name
	SizeBytes int64
	QoS       qos.Values // in force
	Policy    string     // the policy the QoS comes from, "" for values
	NAA       string     // 32 lower-case hex digits, SPC-4 §7.8.6.6.5
	Owner     Owner
	Note      string // the caller's own, as it was given
	Blank     bool   // made empty by this driver: may be formatted
	Imported  bool   // not made by this driver
	Created   time.Time
	Nodes     []Node // who holds a grant
	Fault     string // what keeps it from being used on any node, "" = nothing
}

// Node is an initiator: its IQN in lower case, and a tag that tells two nodes
// with the same IQN apart. Arrays know nodes by their Identity.
type Node struct {
	IQN string
	Tag string
	Key string // X25519 public key that secrets for the node are sealed to; "" = it has none
}

// Mode is how a node may use a volume.
type Mode struct {
	Shared   bool // others may hold it too
	ReadOnly bool // the node is told not to write; Element has no such grant of its own
}

// Grant is what a node needs to reach a volume.
type Grant struct {
	IQN       string   // the target's
	Portals   []string // host:port
	LUN       int
	NAA       string
	SizeBytes int64
	Epoch     int64 // counts the grants of this volume
	ReadOnly  bool
	Blank     bool  // may be formatted
	Clone     bool  // made of another volume, whose filesystem has the same identity
	CHAP      *CHAP // how the node proves itself; nil = it need not
}

// Identity names an array: UniqueID is fixed for its life.
type Identity struct {
	UniqueID string
	Name     string
}

// Limits are the array's own bounds.
type Limits struct {
	MinSizeBytes, MaxSizeBytes int64
	SizeStep                   int64 // sizes are multiples of it, bytes
	QoS                        qos.Limits
	NameLength                 int // of the caller's name
}

// Capacity is what an array says of itself. Bytes are thin: what volumes are
// promised, not what they have written.
type Capacity struct {
	BoundBytes int64 // the array's own bound for the sum of all volumes
	BlockBytes int64 // what it can store
	UsedBytes  int64 // of that
	MaxIOPS    int64 // what it says it can do
}

// Health is what is wrong with an array.
type Health struct {
	// Fullness is its stage, 1 to 5: fine, aware, low, critical (nothing new can be
	// made), consumed (nothing can be written).
	Fullness int
	Faults   []Fault // that there are now
}

// Fault is one thing that is wrong with an array.
type Fault struct {
	Code     string // the array's word, such as clusterIOPSAreOverProvisioned
	Severity string // the array's word, such as warning
	Details  string
	Since    time.Time
	Volumes  Effect // on every volume of the array
}

// Effect is what a fault of an array does to its volumes.
type Effect int

// The effects: none that is known, they do not do as they should, they cannot be used.
const (
	EffectNone Effect = iota
	EffectDegraded
	EffectInaccessible
)

// Promise is what one volume of an array holds of it.
type Promise struct {
	Volume    int64 // its number on the array
	Owner     Owner // the zero Owner: no driver of this kind made it
	Name      string
	SizeBytes int64
	QoS       qos.Values // in force
	Claimed   bool       // handed out; false = what a call that was cut off left
	Deleted   bool       // in the recycle bin
	Nodes     int        // how many hold a grant
}

// Usage is what a volume does at present.
type Usage struct {
	ActualIOPS int64   // I/Os a second, of any size
	Throttle   float64 // 0 to 1: how far it is held below its ceiling
}
