package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/san"
)

// Orphan is a volume, a snapshot or a group of snapshots of this cluster that no
// object of the cluster names.
type Orphan struct {
	Array     string
	Kind      string
	ID        string
	Name      string
	Claim     string // namespace/name; "" = not known
	Created   time.Time
	SizeBytes int64
	FloorIOPS int64    // of 4 KiB
	Kept      string   // why it must stay, "" = it may go
	Members   []string // of a group: the handles of its snapshots
}

// The kinds of orphans.
const (
	OrphanVolume   = "volume"
	OrphanSnapshot = "snapshot"
	OrphanGroup    = "group"
)

// Named are the handles that the cluster's objects name. Snapshots or Groups is nil
// where nothing is known of them: then none is an orphan.
type Named struct {
	Volumes, Snapshots, Groups []string
}

// Orphans are this cluster's volumes, snapshots and groups of snapshots that no object
// names, volumes last, since one goes after its snapshots. The objects are read after the arrays, so
// that what is made meanwhile is none; what is younger than least may have no
// object yet, and must stay. What arrays that answer have comes with the error of
// one that does not.
func (f *Flows) Orphans(ctx context.Context, named func(context.Context) (Named, error), least time.Duration, now time.Time) ([]Orphan, error) {
	var volumes []volumeOn
	var snapshots []snapshotOn
	var failures []error
	for _, m := range f.fleet.Members() {
		vs, ss, err := inventory(ctx, m)
		if err != nil {
			failures = append(failures, fmt.Errorf("array %q: %w", m.Name, err))
			continue
		}
		volumes, snapshots = append(volumes, vs...), append(snapshots, ss...)
	}
	names, err := named(ctx)
	if err != nil {
		return nil, err
	}
	found := orphanSnapshots(snapshots, names, least, now)
	handles := sets.New(names.Volumes...)
	for _, v := range volumes {
		if !v.among(handles) {
			found = append(found, v.orphan(least, now))
		}
	}
	return found, errors.Join(failures...)
}

type volumeOn struct {
	array string
	san.Volume
}

type snapshotOn struct {
	array string
	san.Snapshot
}

// inventory is what an array has of this cluster's.
func inventory(ctx context.Context, m placement.Member) (volumes []volumeOn, snapshots []snapshotOn, err error) {
	listed, _, err := m.Array.List(ctx, "", 0)
	if err != nil {
		return nil, nil, err
	}
	for _, v := range listed {
		volumes = append(volumes, volumeOn{m.Name, v})
	}
	kept, _, err := m.Array.ListSnapshots(ctx, san.SnapshotQuery{})
	for _, s := range kept {
		snapshots = append(snapshots, snapshotOn{m.Name, s})
	}
	return volumes, snapshots, err
}

// among tells whether a handle is among those that objects name: one that was written
// by hand may lack its last part, as short does.
func among(handles sets.Set[string], h, short fmt.Stringer) bool {
	return handles.HasAny(h.String(), short.String())
}

func (v volumeOn) among(handles sets.Set[string]) bool {
	return among(handles, v.Handle, san.Handle{Array: v.Handle.Array, Volume: v.Handle.Volume})
}

func (s snapshotOn) among(handles sets.Set[string]) bool {
	return among(handles, s.Handle, san.SnapshotHandle{Array: s.Handle.Array, Snapshot: s.Handle.Snapshot})
}

func (v volumeOn) orphan(least time.Duration, now time.Time) Orphan {
	o := Orphan{
		Array: v.array, Kind: OrphanVolume, ID: v.Handle.String(), Name: v.Name, Claim: v.Owner.PVC,
		Created: v.Created, SizeBytes: v.SizeBytes, FloorIOPS: v.QoS.Min,
	}
	switch {
	case len(v.Nodes) > 0:
		o.Kept = fmt.Sprintf("granted to %s", v.Nodes[0])
	case v.Imported:
		o.Kept = "imported, not made by this driver"
	default:
		o.Kept = tooYoung(v.Created, least, now)
	}
	return o
}

// orphanSnapshots are those that no object names. A member of a group goes with its
// group alone, so that a group that nobody names stands for its members.
func orphanSnapshots(snapshots []snapshotOn, names Named, least time.Duration, now time.Time) (found []Orphan) {
	if names.Snapshots == nil {
		return nil
	}
	groups, members := orphanGroups(snapshots, names, least, now)
	handles := sets.New(names.Snapshots...)
	for _, s := range snapshots {
		if !members.Has(s.Handle) && !s.among(handles) {
			found = append(found, s.orphan(least, now))
		}
	}
	return append(found, groups...)
}

func (s snapshotOn) orphan(least time.Duration, now time.Time) Orphan {
	o := Orphan{
		Array: s.array, Kind: OrphanSnapshot, ID: s.Handle.String(), Name: s.Name,
		Created: s.Created, SizeBytes: s.SizeBytes, Kept: tooYoung(s.Created, least, now),
	}
	if s.Group != (san.GroupHandle{}) {
		o.Kept = fmt.Sprintf("a member of group snapshot %s, goes with that alone", s.Group)
	}
	return o
}

func tooYoung(created time.Time, least time.Duration, now time.Time) string {
	switch age := now.Sub(created); {
	case created.IsZero():
		return "of unknown age"
	case age < least:
		return fmt.Sprintf("younger than %s", least)
	}
	return ""
}
