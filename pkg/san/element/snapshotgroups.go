package element

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// defaultGroupSize is how many volumes a group takes where the array does not
// tell it.
const defaultGroupSize = 32

// groupSnapshots keeps content in groups of snapshots.
func (a *Array) groupSnapshots() keeper {
	return keeper{
		what: "group snapshot", locks: &a.snapshotGroupNames, doomed: &a.doomedSnapshotGroups,
		list: func(ctx context.Context) ([]kept, error) {
			all, err := a.client.ListGroupSnapshots(ctx, api.ListGroupSnapshotsRequest{})
			var found []kept
			for _, g := range all {
				if k, err := keptGroup(g); err == nil {
					found = append(found, k)
				}
			}
			return byID(found), err
		},
		create: func(ctx context.Context, volumes []int64, name string, attributes api.Attributes) (kept, error) {
			g, err := a.client.CreateGroupSnapshot(ctx, api.CreateGroupSnapshotRequest{Volumes: volumes, Name: name, Attributes: attributes})
			if err != nil {
				return kept{}, err
			}
			return keptGroup(g)
		},
		rename: a.client.RenameGroupSnapshot,
		remove: a.client.DeleteGroupSnapshot,
	}
}

// CreateGroup returns the group of that name.
func (a *Array) CreateGroup(ctx context.Context, req san.GroupRequest) (*san.SnapshotGroup, error) {
	if err := a.checkGroupOf(ctx, req.Sources); err != nil {
		return nil, fail("create group snapshot", req.Name, err)
	}
	k, err := a.keep(ctx, a.groupSnapshots(), req.Name, req.Sources)
	if err != nil {
		return nil, fail("create group snapshot", req.Name, err)
	}
	return a.describeGroup(ctx, k.group, k.mark)
}

func (a *Array) checkGroupOf(ctx context.Context, sources []san.Handle) error {
	l, err := a.wireLimits(ctx)
	if err != nil {
		return err
	}
	if most := cmp.Or(l.VolumesPerSnapshot, defaultGroupSize); len(sources) == 0 || len(sources) > most {
		return fmt.Errorf("%d volumes: must be 1 to %d: %w", len(sources), most, san.ErrInvalid)
	}
	seen := map[int64]bool{}
	for _, h := range sources {
		if err := a.isThis(ctx, h.Array); err != nil {
			return fmt.Errorf("volume %s: %w", h, err)
		}
		if seen[h.Volume] {
			return fmt.Errorf("volume %s is given twice: %w", h, san.ErrInvalid)
		}
		seen[h.Volume] = true
	}
	return nil
}

// GetGroup resolves a handle.
func (a *Array) GetGroup(ctx context.Context, h san.GroupHandle) (*san.SnapshotGroup, error) {
	k, err := a.loadGroup(ctx, h)
	if err != nil {
		return nil, fail("get group snapshot", h, err)
	}
	return a.describeGroup(ctx, k.group, k.mark)
}

// DeleteGroup removes the group and its members.
func (a *Array) DeleteGroup(ctx context.Context, h san.GroupHandle) error {
	k, err := a.loadGroup(ctx, h)
	if errors.Is(err, san.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = a.client.DeleteGroupSnapshot(ctx, k.id)
	}
	if err != nil && !gone(err) {
		return fail("delete group snapshot", h, err)
	}
	return nil
}

// loadGroup reads the group of a handle: one that was handed out to this
// cluster, or that nobody marked.
func (a *Array) loadGroup(ctx context.Context, h san.GroupHandle) (kept, error) {
	if err := a.isThis(ctx, h.Array); err != nil {
		return kept{}, err
	}
	found, err := a.client.ListGroupSnapshots(ctx, api.ListGroupSnapshotsRequest{GroupSnapshotID: h.Group})
	if err != nil {
		return kept{}, err
	}
	i := slices.IndexFunc(found, func(g api.GroupSnapshot) bool { return g.GroupSnapshotID == h.Group })
	if i < 0 {
		return kept{}, fmt.Errorf("the array has no group snapshot %d: %w", h.Group, san.ErrNotFound)
	}
	if have := shortUUID(found[i].GroupSnapshotUUID); h.UUID != "" && have != h.UUID {
		return kept{}, fmt.Errorf("group snapshot %d is another one now, its UUID begins %q: %w", h.Group, have, san.ErrNotFound)
	}
	k, err := keptGroup(found[i])
	if err == nil && k.mark.pending {
		err = fmt.Errorf("group snapshot %d was never handed out: %w", k.id, san.ErrNotFound)
	}
	return k, errors.Join(err, a.notOthers(k.mark))
}

// groupMarks are the marks of the groups that some of the snapshots are of.
func (a *Array) groupMarks(ctx context.Context, snapshots []api.Snapshot) (map[int64]mark, error) {
	i := slices.IndexFunc(snapshots, func(s api.Snapshot) bool { return s.GroupID != 0 })
	if i < 0 {
		return nil, nil
	}
	var request api.ListGroupSnapshotsRequest
	if len(snapshots) == 1 {
		request.GroupSnapshotID = snapshots[0].GroupID
	}
	groups, err := a.client.ListGroupSnapshots(ctx, request)
	if err != nil {
		return nil, err
	}
	marks := map[int64]mark{}
	for _, g := range groups {
		if k, err := keptGroup(g); err == nil {
			marks[k.id] = k.mark
		}
	}
	return marks, nil
}

func (a *Array) describeGroup(ctx context.Context, g api.GroupSnapshot, m mark) (*san.SnapshotGroup, error) {
	id, err := a.Identity(ctx)
	if err != nil {
		return nil, err
	}
	marks := slices.Repeat([]mark{m}, len(g.Members))
	members, err := a.describeSnapshots(ctx, g.Members, marks)
	if err != nil {
		return nil, fail("describe group snapshot", g.GroupSnapshotID, err)
	}
	created, err := time.Parse(time.RFC3339, g.CreateTime)
	if err != nil {
		return nil, fmt.Errorf("group snapshot %d: time of creation: %w: %w", g.GroupSnapshotID, san.ErrUnavailable, err)
	}
	return &san.SnapshotGroup{
		Handle: san.GroupHandle{Array: id.UniqueID, Group: g.GroupSnapshotID, UUID: shortUUID(g.GroupSnapshotUUID)},
		Name:   m.name, Created: created, Members: members,
	}, nil
}
