package store

import (
	"encoding/json"
	"fmt"
	"time"
)

// GroupSnapshot is the record of snapshots of several volumes at one moment.
type GroupSnapshot struct {
	ID         int64
	UUID       string
	Name       string // not unique
	Created    time.Time
	Attributes json.RawMessage `json:",omitempty"`
	Replicate  bool            // enableRemoteReplication, kept and told
	Members    []int64         // snapshots, ascending, at least one
}

// GroupSnapshots is the table of group snapshots.
func (t *Tx) GroupSnapshots() Table[GroupSnapshot] {
	return table[GroupSnapshot](t, bucketGroupSnapshots, "group snapshot")
}

// AddGroupSnapshot keeps the present content of the members' volumes under new
// ids, all at one moment: where a write to one of the volumes is in, every
// write to any of them that ended before it began is in. ID, Size, GroupID and
// GroupUUID of the members are the store's to set, as is the group's ID.
func (t *Tx) AddGroupSnapshot(g GroupSnapshot, members []Snapshot) (GroupSnapshot, []Snapshot, error) {
	var err error
	if g.ID, err = t.GroupSnapshots().next(); err != nil {
		return g, nil, err
	}
	g.Members = nil
	added := make([]Snapshot, 0, len(members))
	for _, s := range members {
		s.GroupID, s.GroupUUID = g.ID, g.UUID
		if s, err = t.AddSnapshot(s); err != nil {
			return g, nil, err
		}
		g.Members = append(g.Members, s.ID)
		added = append(added, s)
	}
	if len(added) == 0 {
		return g, nil, fmt.Errorf("group snapshot %q has no volumes", g.Name)
	}
	return g, added, t.GroupSnapshots().put(g.ID, g)
}

// PutGroupSnapshot replaces a group's record; its members stay.
func (t *Tx) PutGroupSnapshot(g GroupSnapshot) error {
	old, err := t.GroupSnapshots().Get(g.ID)
	if err != nil {
		return err
	}
	g.Members = old.Members
	return t.GroupSnapshots().put(g.ID, g)
}

// RemoveGroupSnapshot removes a group with its members, or leaves these as
// snapshots of their own.
func (t *Tx) RemoveGroupSnapshot(id int64, saveMembers bool) error {
	g, err := t.GroupSnapshots().Get(id)
	if err != nil {
		return err
	}
	for _, member := range g.Members {
		if err := t.dropMember(member, saveMembers); err != nil {
			return err
		}
	}
	if !saveMembers {
		return nil // the last member took it along
	}
	return t.GroupSnapshots().remove(id)
}

func (t *Tx) dropMember(id int64, save bool) error {
	if !save {
		return t.RemoveSnapshot(id)
	}
	s, err := t.Snapshots().Get(id)
	if err != nil {
		return err
	}
	s.GroupID, s.GroupUUID = 0, ""
	return t.Snapshots().put(id, s)
}

func (t *Tx) leaveGroup(s Snapshot) error {
	if s.GroupID == 0 {
		return nil
	}
	g, err := t.GroupSnapshots().Get(s.GroupID)
	if err != nil {
		return err
	}
	if g.Members = remove(g.Members, s.ID); len(g.Members) == 0 {
		return t.GroupSnapshots().remove(g.ID)
	}
	return t.GroupSnapshots().put(g.ID, g)
}
