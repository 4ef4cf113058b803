package api

import (
	"cmp"
	"slices"

	"github.com/google/uuid"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

func groupSnapshotMethods() map[string]method {
	return map[string]method{
		"CreateGroupSnapshot":     change(createGroupSnapshot, "volumes"),
		"ModifyGroupSnapshot":     change(modifyGroupSnapshot, "groupSnapshotID"),
		"DeleteGroupSnapshot":     change(deleteGroupSnapshot, "groupSnapshotID"),
		"RollbackToGroupSnapshot": change(rollbackToGroupSnapshot, "groupSnapshotID"),
		"ListGroupSnapshots":      query(listGroupSnapshots),
	}
}

type groupSnapshotParams struct {
	ID          integer  `json:"groupSnapshotID"`
	Volumes     integers `json:"volumes"`
	VolumeID    integer  `json:"volumeID"`
	Save        boolean  `json:"saveCurrentState"`
	SaveMembers boolean  `json:"saveMembers"`
	keepParams
}

func (c *call) groupSnapshot(id int64) (store.GroupSnapshot, error) {
	g, err := c.tx.GroupSnapshots().Get(id)
	return g, missing(err, groupSnapshotUnknown, "GroupSnapshotID %d does not exist.", id)
}

func createGroupSnapshot(c *call, p groupSnapshotParams) (any, error) {
	g, members, err := c.keepGroup(p.Volumes.Values, p.keepParams)
	if err != nil {
		return nil, err
	}
	return c.groupSnapshotResult(g, members)
}

// keepGroup keeps the content of volumes at one moment. Members bear the
// group's name; its attributes are its own.
func (c *call) keepGroup(volumes []int64, p keepParams) (store.GroupSnapshot, []store.Snapshot, error) {
	g := store.GroupSnapshot{
		UUID: uuid.NewString(), Name: cmp.Or(p.Name, at(c.now)), Created: c.now, Replicate: p.Replicate.or(false),
	}
	if err := within("number of volumes", int64(len(volumes)), 1, volumesPerSnapshotMax); err != nil {
		return g, nil, err
	}
	if err := distinct("volumes", volumes); err != nil {
		return g, nil, err
	}
	if err := p.Attributes.apply(&g.Attributes); err != nil {
		return g, nil, err
	}
	p.Attributes = attributes{}
	var members []store.Snapshot
	for _, volume := range volumes {
		s, err := c.roomForSnapshot(volume, p)
		if err != nil {
			return g, nil, err
		}
		members = append(members, s)
	}
	return c.tx.AddGroupSnapshot(g, members)
}

// distinct refuses a list that names something twice.
func distinct(field string, ids []int64) error {
	if len(slices.Compact(slices.Sorted(slices.Values(ids)))) != len(ids) {
		return failf(invalidParameter, "%s: an id is given twice", field)
	}
	return nil
}

func (c *call) groupSnapshotResult(g store.GroupSnapshot, members []store.Snapshot) (result, error) {
	w, err := c.toWireGroupSnapshot(g)
	return result{"groupSnapshot": w, "groupSnapshotID": g.ID, "members": toWireMembers(members)}, err
}

// modifyGroupSnapshot changes how the members are kept, too.
func modifyGroupSnapshot(c *call, p groupSnapshotParams) (any, error) {
	g, err := c.groupSnapshot(int64(p.ID))
	if err != nil {
		return nil, err
	}
	g.Name, g.Replicate = cmp.Or(p.Name, g.Name), p.Replicate.or(g.Replicate)
	if err := p.Attributes.apply(&g.Attributes); err != nil {
		return nil, err
	}
	p.Attributes = attributes{}
	members, err := c.membersOf(g)
	if err != nil {
		return nil, err
	}
	for _, s := range members {
		if _, err := c.rekeep(s, p.keepParams); err != nil {
			return nil, err
		}
	}
	if err := c.tx.PutGroupSnapshot(g); err != nil {
		return nil, err
	}
	w, err := c.toWireGroupSnapshot(g)
	return result{"groupSnapshot": w}, err
}

// deleteGroupSnapshot removes the members with the group, or ungroups them.
func deleteGroupSnapshot(c *call, p groupSnapshotParams) (any, error) {
	g, err := c.groupSnapshot(int64(p.ID))
	if err != nil {
		return nil, err
	}
	return result{}, c.tx.RemoveGroupSnapshot(g.ID, p.SaveMembers.or(false))
}

// rollbackToGroupSnapshot rolls every member's volume back, or none; see
// rollbackToSnapshot about their sessions.
func rollbackToGroupSnapshot(c *call, p groupSnapshotParams) (any, error) {
	g, err := c.groupSnapshot(int64(p.ID))
	if err != nil {
		return nil, err
	}
	members, err := c.membersOf(g)
	if err != nil {
		return nil, err
	}
	var volumes []int64
	for _, s := range members {
		if _, err := c.usableVolume(s.VolumeID); err != nil {
			return nil, err
		}
		volumes = append(volumes, s.VolumeID)
	}
	out := result{"groupSnapshot": nil, "groupSnapshotID": nil, "members": nil}
	if p.Save.or(false) {
		saved, kept, err := c.keepGroup(volumes, keepParams{Name: cmp.Or(p.Name, copyName(g.Name)), Attributes: p.Attributes})
		if err != nil {
			return nil, err
		}
		if out, err = c.groupSnapshotResult(saved, kept); err != nil {
			return nil, err
		}
	}
	for _, s := range members {
		if err := c.rollback(s); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// listGroupSnapshots answers one group, those with a member of the volumes that
// are asked for, or all.
func listGroupSnapshots(c *call, p groupSnapshotParams) (any, error) {
	if p.ID != 0 {
		g, err := c.groupSnapshot(int64(p.ID))
		if err != nil {
			return nil, err
		}
		w, err := c.toWireGroupSnapshot(g)
		return result{"groupSnapshots": []wireGroupSnapshot{w}}, err
	}
	if p.VolumeID != 0 {
		p.Volumes.Values = append(p.Volumes.Values, int64(p.VolumeID))
	}
	groups := []wireGroupSnapshot{}
	for g, err := range c.tx.GroupSnapshots().From(0) {
		if err != nil {
			return nil, err
		}
		w, err := c.toWireGroupSnapshot(g)
		if err != nil {
			return nil, err
		}
		if len(p.Volumes.Values) == 0 || slices.ContainsFunc(w.Members, func(m wireSnapshot) bool { return asked(p.Volumes, m.VolumeID) }) {
			groups = append(groups, w)
		}
	}
	return result{"groupSnapshots": groups}, nil
}
