// Package stage holds the node's flows: a granted LUN becomes a mounted
// filesystem or a block device at a path, and is taken apart again. Every flow
// is written down in the stage record before it acts, may be repeated, and
// converges from any point at which the process was killed.
//
// One call per volume runs at a time, a second one is ErrInFlight; different
// volumes run concurrently, as many as Options.MaxConcurrent says.
//
// Run is the reconciler: it holds what is on the node against the records.
package stage

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// The values of StageRequest.Fsck.
const (
	FsckPreen  = "preen"  // repair what is safe to repair, the default
	FsckOff    = "off"    // no check
	FsckRepair = "repair" // repair everything, whatever is lost
)

// Target is the LUN as the grant names it.
type Target struct {
	IQN       string   `json:"iqn"`
	Portals   []string `json:"portals"` // host:port
	LUN       int      `json:"lun"`
	NAA       string   `json:"naa"`       // 32 lower-case hex digits, SPC-4 §7.8.6.6.5
	SizeBytes int64    `json:"sizeBytes"` // the device has at least this
	// Credentials are what to log in with, sealed; "" = none.
	Credentials string `json:"credentials,omitempty"`
}

// StageRequest asks for the volume at StagingPath (CSI spec, NodeStageVolume).
type StageRequest struct {
	VolumeID    string
	StagingPath string
	Target      Target
	Epoch       int64 // of the grant; an older one than the staged one is refused
	Blank       bool  // the controller says that it may be formatted
	Clone       bool  // made of another volume: its filesystem's identity is not its own, and it may be smaller than the device
	Block       bool  // raw: no filesystem, the device node is shown
	FSType      string
	MountFlags  []string
	MkfsOptions []string
	Fsck        string // preen (default), off or repair
	ReadOnly    bool
}

// PublishRequest asks for the staged volume at TargetPath (CSI spec, NodePublishVolume).
type PublishRequest struct {
	VolumeID     string
	StagingPath  string
	TargetPath   string
	Block        bool
	ReadOnly     bool
	MountFlags   []string
	SingleWriter bool // a second target path on this node is refused with ErrBusy
}

// ExpandRequest asks the node to see the volume's new size and to grow the
// filesystem to it (CSI spec, NodeExpandVolume).
type ExpandRequest struct {
	VolumeID      string
	VolumePath    string
	RequiredBytes int64 // 0 = whatever the array gives now
	Block         bool
}

// Stats is the usage of a volume; for a block volume only TotalBytes is told.
type Stats struct {
	Block                                    bool
	TotalBytes, AvailableBytes, UsedBytes    int64
	TotalInodes, AvailableInodes, UsedInodes int64
}

// Options are what a Stager works with. The rooms and the directory are needed;
// other zero members take the defaults.
type Options struct {
	Iscsi      Iscsi   // the node's initiator
	Daemons    Daemons // of the node's initiator
	Disks      Disks   // contents of devices
	Mounts     Mounts  // the mount table
	RecordsDir string  // for the stage records: on the host's disk, not in the container
	// Boot tells one boot of the host from another: what a record of another boot
	// says of mounts and sessions is over. "" = not known.
	Boot string
	// MaxConcurrent bounds the stages that run at once, and the unstages; 16.
	MaxConcurrent int
	Fences        Fences        // what the controller fenced; nil = nobody does
	Tell          func(Finding) // is told what the reconciler saw and did; it must return at once
	Reach         Reach         // connects to a portal, to see whether it is reached; TCP
	Abandoned     time.Duration // a stage that nobody came back for is taken down after it; 10 min
}

const (
	defaultConcurrent = 16
	// Longer than the kubelet's longest pause between two tries.
	defaultAbandoned = 10 * time.Minute
)

// Stager runs the node's flows.
type Stager struct {
	iscsi     Iscsi
	daemons   Daemons
	disks     Disks
	mounts    Mounts
	records   store
	boot      string
	fences    Fences
	tell      func(Finding)
	reach     Reach
	abandoned time.Duration

	volumes  *volumes
	stages   *semaphore.Weighted
	unstages *semaphore.Weighted // of their own: what goes must not wait for what cannot come
	seen     *sightings
	round    sync.Mutex // held over a round of the reconciler
}

// New makes a Stager; RecordsDir is made where it is not there.
func New(o Options) (*Stager, error) {
	if o.Iscsi == nil || o.Daemons == nil || o.Disks == nil || o.Mounts == nil {
		return nil, fmt.Errorf("stage options: iscsi, daemons, disks and mounts are all needed: %w", ErrInvalid)
	}
	if o.MaxConcurrent < 0 {
		return nil, fmt.Errorf("stage options: at most %d at once: below 0: %w", o.MaxConcurrent, ErrInvalid)
	}
	records, err := openRecords(o.RecordsDir)
	if err != nil {
		return nil, err
	}
	most := int64(cmp.Or(o.MaxConcurrent, defaultConcurrent))
	s := &Stager{
		iscsi: o.Iscsi, daemons: o.Daemons, disks: o.Disks, mounts: o.Mounts, records: records, boot: o.Boot,
		fences: o.Fences, tell: o.Tell, reach: o.Reach, abandoned: cmp.Or(o.Abandoned, defaultAbandoned),
		volumes:  &volumes{busy: map[string]struct{}{}},
		stages:   semaphore.NewWeighted(most),
		unstages: semaphore.NewWeighted(most),
		seen:     newSightings(),
	}
	if s.fences == nil {
		s.fences = noFences{}
	}
	if s.tell == nil {
		s.tell = func(Finding) {}
	}
	if s.reach == nil {
		s.reach = dial
	}
	return s, nil
}

// validate refuses what no stage can do and fills in the defaults.
func (r *StageRequest) validate() error {
	if err := needed("volume id", r.VolumeID, "staging path", r.StagingPath, "target IQN", r.Target.IQN); err != nil {
		return err
	}
	if len(r.Target.Portals) == 0 {
		return fmt.Errorf("stage %s: no portal given: %w", r.VolumeID, ErrInvalid)
	}
	if !naaPattern.MatchString(r.Target.NAA) {
		return fmt.Errorf("stage %s: naa %q: not 32 lower-case hex digits: %w", r.VolumeID, r.Target.NAA, ErrInvalid)
	}
	if r.Target.LUN < 0 || r.Target.LUN > maxLUN {
		return fmt.Errorf("stage %s: lun %d: not within 0 to %d: %w", r.VolumeID, r.Target.LUN, maxLUN, ErrInvalid)
	}
	if r.Target.SizeBytes <= 0 {
		return fmt.Errorf("stage %s: size %d bytes: not positive: %w", r.VolumeID, r.Target.SizeBytes, ErrInvalid)
	}
	if r.Fsck == "" {
		r.Fsck = FsckPreen
	}
	if !slices.Contains([]string{FsckPreen, FsckOff, FsckRepair}, r.Fsck) {
		return fmt.Errorf("stage %s: fsck %q: not preen, off or repair: %w", r.VolumeID, r.Fsck, ErrInvalid)
	}
	// Before the record: what the initiator refuses could not be detached either.
	if err := r.Target.initiator().Validate(); err != nil {
		return failed("stage", r.VolumeID, err)
	}
	return r.validateFilesystem()
}

func (r *StageRequest) validateFilesystem() error {
	if r.Block {
		r.FSType = ""
		return nil
	}
	if r.FSType == "" {
		r.FSType = defaultFilesystem
	}
	if !slices.Contains(filesystems, r.FSType) {
		return fmt.Errorf("stage %s: filesystem %q: not one of %v: %w", r.VolumeID, r.FSType, filesystems, ErrInvalid)
	}
	return nil
}

// needed takes pairs of a field's name and its value, and refuses empty values.
func needed(pairs ...string) error {
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] == "" {
			return fmt.Errorf("%s: empty: %w", pair[0], ErrInvalid)
		}
	}
	return nil
}
