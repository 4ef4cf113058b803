package element

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

// snapshots keeps content in snapshots of no group.
func (a *Array) snapshots() keeper {
	return keeper{
		what: "snapshot", locks: &a.snapshotNames, doomed: &a.doomedSnapshots,
		list: func(ctx context.Context) ([]kept, error) {
			all, err := a.listSnapshots(ctx, 0)
			var found []kept
			for _, s := range all {
				if k, err := keptSnapshot(s); err == nil && s.GroupID == 0 {
					found = append(found, k)
				}
			}
			return byID(found), err
		},
		create: func(ctx context.Context, volumes []int64, name string, attributes api.Attributes) (kept, error) {
			s, err := a.client.CreateSnapshot(ctx, api.CreateSnapshotRequest{VolumeID: volumes[0], Name: name, Attributes: attributes})
			if err != nil {
				return kept{}, err
			}
			return keptSnapshot(s)
		},
		rename: a.client.RenameSnapshot,
		remove: a.client.DeleteSnapshot,
	}
}

// listSnapshots are the snapshots of a volume, or all of the array's (0).
func (a *Array) listSnapshots(ctx context.Context, volume int64) ([]api.Snapshot, error) {
	asked := a.clock.Now()
	all, err := a.client.ListSnapshots(ctx, api.ListSnapshotsRequest{VolumeID: volume})
	if err == nil && volume == 0 {
		a.snapshotted.fill(all, asked)
	}
	return all, err
}

func byID(found []kept) []kept {
	slices.SortFunc(found, func(a, b kept) int { return cmp.Compare(a.id, b.id) })
	return found
}

// CreateSnapshot returns the snapshot of that name.
func (a *Array) CreateSnapshot(ctx context.Context, req san.SnapshotRequest) (*san.Snapshot, error) {
	k, err := a.keep(ctx, a.snapshots(), req.Name, []san.Handle{req.Source})
	if err != nil {
		return nil, fail(fmt.Sprintf("create snapshot %q of volume", req.Name), req.Source, err)
	}
	return a.describeSnapshot(ctx, k.snapshot, k.mark)
}

// GetSnapshot resolves a handle.
func (a *Array) GetSnapshot(ctx context.Context, h san.SnapshotHandle) (*san.Snapshot, error) {
	s, m, err := a.loadSnapshot(ctx, h)
	if err != nil {
		return nil, fail("get snapshot", h, err)
	}
	return a.describeSnapshot(ctx, s, m)
}

func (a *Array) describeSnapshot(ctx context.Context, s api.Snapshot, m mark) (*san.Snapshot, error) {
	described, err := a.describeSnapshots(ctx, []api.Snapshot{s}, []mark{m})
	if err != nil {
		return nil, fail("describe snapshot", s.SnapshotID, err)
	}
	if len(described) == 0 {
		return nil, fmt.Errorf("snapshot %d: its volume %d is gone: %w", s.SnapshotID, s.VolumeID, san.ErrNotFound)
	}
	return &described[0], nil
}

// loadSnapshot reads the snapshot of a handle: one that was handed out to this
// cluster, or that nobody marked.
func (a *Array) loadSnapshot(ctx context.Context, h san.SnapshotHandle) (api.Snapshot, mark, error) {
	s, err := a.findSnapshot(ctx, h)
	if err != nil {
		return s, mark{}, err
	}
	marks, err := a.marks(ctx, []api.Snapshot{s})
	if err != nil {
		return s, mark{}, err
	}
	if marks[0].pending {
		err = fmt.Errorf("snapshot %d was never handed out: %w", s.SnapshotID, san.ErrNotFound)
	}
	return s, marks[0], errors.Join(err, a.notOthers(marks[0]))
}

// notOthers is ErrBusy where another cluster owns what is marked so.
func (a *Array) notOthers(m mark) error {
	if m.cluster != "" && m.cluster != a.config.Cluster {
		return fmt.Errorf("it belongs to cluster %q, this is %q: %w", m.cluster, a.config.Cluster, san.ErrBusy)
	}
	return nil
}

func (a *Array) findSnapshot(ctx context.Context, h san.SnapshotHandle) (api.Snapshot, error) {
	if err := a.isThis(ctx, h.Array); err != nil {
		return api.Snapshot{}, err
	}
	found, err := a.client.ListSnapshots(ctx, api.ListSnapshotsRequest{SnapshotID: h.Snapshot})
	if err != nil {
		return api.Snapshot{}, err
	}
	i := slices.IndexFunc(found, func(s api.Snapshot) bool { return s.SnapshotID == h.Snapshot })
	if i < 0 {
		return api.Snapshot{}, fmt.Errorf("the array has no snapshot %d: %w", h.Snapshot, san.ErrNotFound)
	}
	if have := shortUUID(found[i].SnapshotUUID); h.UUID != "" && have != h.UUID {
		return api.Snapshot{}, fmt.Errorf("snapshot %d is another one now, its UUID begins %q: %w", h.Snapshot, have, san.ErrNotFound)
	}
	return found[i], nil
}

// DeleteSnapshot removes a snapshot of no group.
func (a *Array) DeleteSnapshot(ctx context.Context, h san.SnapshotHandle) error {
	s, _, err := a.loadSnapshot(ctx, h)
	if errors.Is(err, san.ErrNotFound) {
		return nil
	}
	if err == nil && s.GroupID != 0 {
		err = fmt.Errorf("it is a member of group snapshot %d and goes with that alone: %w", s.GroupID, san.ErrInvalid)
	}
	if err == nil {
		err = a.client.DeleteSnapshot(ctx, s.SnapshotID)
	}
	if err != nil && !gone(err) {
		return fail("delete snapshot", h, err)
	}
	return nil
}

// ListSnapshots returns this cluster's snapshots in the order of their ids; a
// place to go on from is an id.
func (a *Array) ListSnapshots(ctx context.Context, q san.SnapshotQuery) ([]san.Snapshot, string, error) {
	first, err := startOf(q.Start)
	if err != nil {
		return nil, "", fmt.Errorf("list snapshots: %w", err)
	}
	if q.Limit < 0 {
		return nil, "", fmt.Errorf("list snapshots: limit %d must not be negative: %w", q.Limit, san.ErrInvalid)
	}
	ours, marks, err := a.ownSnapshots(ctx, q.Source)
	if err != nil {
		return nil, "", fail("list snapshots from", first, err)
	}
	begin, _ := slices.BinarySearchFunc(ours, first, func(s api.Snapshot, id int64) int { return cmp.Compare(s.SnapshotID, id) })
	end, next := len(ours), ""
	if q.Limit > 0 && end-begin > q.Limit {
		end = begin + q.Limit
		next = strconv.FormatInt(ours[end].SnapshotID, 10)
	}
	listed, err := a.describeSnapshots(ctx, ours[begin:end], marks[begin:end])
	if err != nil {
		return nil, "", fail("list snapshots from", first, err)
	}
	return listed, next, nil
}

// ownSnapshots are what this cluster was handed, in the order of their ids.
func (a *Array) ownSnapshots(ctx context.Context, source san.Handle) ([]api.Snapshot, []mark, error) {
	if source != (san.Handle{}) {
		_, _, err := a.load(ctx, source)
		if errors.Is(err, san.ErrNotFound) || errors.Is(err, san.ErrBusy) {
			return nil, nil, nil
		}
		if err != nil {
			return nil, nil, err
		}
	}
	all, err := a.listSnapshots(ctx, source.Volume)
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(all, func(a, b api.Snapshot) int { return cmp.Compare(a.SnapshotID, b.SnapshotID) })
	marks, err := a.marks(ctx, all)
	if err != nil {
		return nil, nil, err
	}
	var ours []api.Snapshot
	var own []mark
	for i, m := range marks {
		if m.cluster == a.config.Cluster && !m.pending {
			ours, own = append(ours, all[i]), append(own, m)
		}
	}
	return ours, own, nil
}

// marks are the marks of snapshots; a member of a group has its group's. One
// that cannot be read is nobody's where there are several.
func (a *Array) marks(ctx context.Context, snapshots []api.Snapshot) ([]mark, error) {
	groups, err := a.groupMarks(ctx, snapshots)
	if err != nil {
		return nil, err
	}
	marks := make([]mark, len(snapshots))
	for i, s := range snapshots {
		if s.GroupID != 0 {
			marks[i] = groups[s.GroupID]
			continue
		}
		if marks[i], err = readMark("snapshot", s.SnapshotID, s.Name, s.Attributes); err != nil && len(snapshots) == 1 {
			return nil, err
		}
	}
	return marks, nil
}

// describeSnapshots are the snapshots as the controller sees them, less those
// whose volume went away meanwhile.
func (a *Array) describeSnapshots(ctx context.Context, snapshots []api.Snapshot, marks []mark) ([]san.Snapshot, error) {
	id, err := a.Identity(ctx)
	if err != nil {
		return nil, err
	}
	sources, err := a.sources(ctx, snapshots)
	if err != nil {
		return nil, err
	}
	var described []san.Snapshot
	for i, s := range snapshots {
		v, there := sources[s.VolumeID]
		if !there {
			continue
		}
		created, err := time.Parse(time.RFC3339, s.CreateTime)
		if err != nil {
			return nil, fmt.Errorf("snapshot %d: time of creation: %w", s.SnapshotID, err)
		}
		d := san.Snapshot{
			Handle: san.SnapshotHandle{Array: id.UniqueID, Snapshot: s.SnapshotID, UUID: shortUUID(s.SnapshotUUID)},
			Name:   marks[i].name, Source: san.Handle{Array: id.UniqueID, Volume: v.VolumeID, UUID: uuidPart(v)},
			SourceQoS: qos.Values{Min: v.QoS.MinIOPS, Max: v.QoS.MaxIOPS, Burst: v.QoS.BurstIOPS},
			SizeBytes: s.TotalSize, Created: created, Ready: !strings.EqualFold(s.Status, api.SnapshotPreparing),
		}
		if s.GroupID != 0 {
			d.Group = san.GroupHandle{Array: id.UniqueID, Group: s.GroupID, UUID: shortUUID(s.GroupUUID)}
		}
		described = append(described, d)
	}
	return described, nil
}

// sources are the volumes that snapshots are of, read page by page.
func (a *Array) sources(ctx context.Context, snapshots []api.Snapshot) (map[int64]api.Volume, error) {
	var ids []int64
	for _, s := range snapshots {
		ids = append(ids, s.VolumeID)
	}
	slices.Sort(ids)
	found := map[int64]api.Volume{}
	for page := range slices.Chunk(slices.Compact(ids), pageSize) {
		volumes, err := a.client.ListVolumes(ctx, api.ListVolumesRequest{VolumeIDs: page})
		if err != nil {
			return nil, err
		}
		for _, v := range volumes {
			found[v.VolumeID] = v
		}
	}
	return found, nil
}
