package stage

import (
	"fmt"
	"slices"
	"time"

	"github.com/san-csi/san-csi/pkg/initiator"
)

// record is what the node has done, or is about to do, for one volume.
type record struct {
	VolumeID    string   `json:"volumeID"`
	StagingPath string   `json:"stagingPath"`
	Target      Target   `json:"target"`
	Epoch       int64    `json:"epoch"`
	Block       bool     `json:"block,omitempty"`
	FSType      string   `json:"fsType,omitempty"`
	MountFlags  []string `json:"mountFlags,omitempty"`
	ReadOnly    bool     `json:"readOnly,omitempty"`
	Boot        string   `json:"boot,omitempty"` // of the host, in which it was staged
	// Touched is when it was saved last.
	Touched time.Time `json:"touched,omitzero"`
	// Formatting: an mkfs of this device began under this epoch and did not
	// end. Nothing was mounted from it since.
	Formatting bool `json:"formatting,omitempty"`
	// Published are the target paths, each before its mount is made.
	Published map[string]publication `json:"published,omitempty"`
}

type publication struct {
	ReadOnly   bool     `json:"readOnly,omitempty"`
	MountFlags []string `json:"mountFlags,omitempty"`
}

func (p publication) same(o publication) bool {
	return p.ReadOnly == o.ReadOnly && slices.Equal(p.MountFlags, o.MountFlags)
}

func newRecord(r StageRequest) *record {
	return &record{
		VolumeID:    r.VolumeID,
		StagingPath: r.StagingPath,
		Target:      r.Target,
		Epoch:       r.Epoch,
		Block:       r.Block,
		FSType:      r.FSType,
		MountFlags:  r.MountFlags,
		ReadOnly:    r.ReadOnly,
		Published:   map[string]publication{},
	}
}

// differs names the first attribute in which the request is another stage than
// the recorded one, "" where none is. Portals and size may change under it.
func (r *record) differs(q StageRequest) string {
	switch {
	case r.StagingPath != q.StagingPath:
		return fmt.Sprintf("staging path %s, asked for %s", r.StagingPath, q.StagingPath)
	case r.Target.IQN != q.Target.IQN || r.Target.LUN != q.Target.LUN:
		return fmt.Sprintf("target %s lun %d, asked for %s lun %d", r.Target.IQN, r.Target.LUN, q.Target.IQN, q.Target.LUN)
	case r.Target.NAA != q.Target.NAA:
		return fmt.Sprintf("naa %s, asked for %s", r.Target.NAA, q.Target.NAA)
	case r.Block != q.Block:
		return fmt.Sprintf("block %t, asked for %t", r.Block, q.Block)
	case r.FSType != q.FSType:
		return fmt.Sprintf("filesystem %s, asked for %s", r.FSType, q.FSType)
	case r.ReadOnly != q.ReadOnly:
		return fmt.Sprintf("read-only %t, asked for %t", r.ReadOnly, q.ReadOnly)
	case !slices.Equal(r.MountFlags, q.MountFlags):
		return fmt.Sprintf("mount flags %v, asked for %v", r.MountFlags, q.MountFlags)
	}
	return ""
}

// target is the LUN as the initiator takes it.
func (r *record) target() initiator.Target {
	t := r.Target.initiator()
	t.ReadOnly = r.ReadOnly
	return t
}

func (t Target) initiator() initiator.Target {
	return initiator.Target{IQN: t.IQN, Portals: t.Portals, LUN: t.LUN, NAA: t.NAA, SizeBytes: t.SizeBytes, Credentials: t.Credentials}
}
