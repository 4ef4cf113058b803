package store

import (
	"encoding/json"
	"fmt"
)

// Group is a volume access group: its initiators reach its volumes.
type Group struct {
	ID         int64
	Name       string          // not unique
	Attributes json.RawMessage `json:",omitempty"`
	Initiators []int64         // ascending
	Volumes    []int64         // also deleted ones, until they are purged; ascending
	LUNs       map[int64]int64
}

// Initiator is an iSCSI initiator that the array knows by name.
type Initiator struct {
	ID              int64
	Name            string // unique; lower case
	Alias           string
	Attributes      json.RawMessage `json:",omitempty"`
	GroupID         int64           // 0 = in none
	CHAPUser        string
	InitiatorSecret string
	TargetSecret    string
	RequireCHAP     bool
}

// Groups is the table of access groups.
func (t *Tx) Groups() Table[Group] { return table[Group](t, bucketGroups, "volume access group") }

// Initiators is the table of initiators.
func (t *Tx) Initiators() Table[Initiator] {
	return table[Initiator](t, bucketInitiators, "initiator")
}

// AddGroup stores a new, empty group under a new id.
func (t *Tx) AddGroup(g Group) (Group, error) {
	var err error
	if g.ID, err = t.Groups().next(); err != nil {
		return g, err
	}
	return g, t.PutGroup(g)
}

// PutGroup replaces a group. Membership is changed by AddToGroup,
// RemoveFromGroup and SetInitiatorGroup only, which keep both sides.
func (t *Tx) PutGroup(g Group) error { return t.Groups().put(g.ID, g) }

// RemoveGroup removes a group and takes its members out of it.
func (t *Tx) RemoveGroup(id int64) error {
	g, err := t.Groups().Get(id)
	if err != nil {
		return err
	}
	for _, volume := range g.Volumes {
		if err := t.RemoveFromGroup(id, volume); err != nil {
			return err
		}
	}
	for _, initiator := range g.Initiators {
		if err := t.SetInitiatorGroup(initiator, 0); err != nil {
			return err
		}
	}
	return t.Groups().remove(id)
}

// AddToGroup makes a volume a member; LUN numbers go up from the lowest free one.
func (t *Tx) AddToGroup(group, volume int64) error {
	return t.changeMembership(group, volume, func(g *Group, v *Volume) {
		g.Volumes, v.Groups = insert(g.Volumes, volume), insert(v.Groups, group)
		if g.LUNs == nil {
			g.LUNs = map[int64]int64{}
		}
		g.LUNs[volume] = freeLUN(g.LUNs)
	})
}

// RemoveFromGroup ends a volume's membership.
func (t *Tx) RemoveFromGroup(group, volume int64) error {
	return t.changeMembership(group, volume, func(g *Group, v *Volume) {
		g.Volumes, v.Groups = remove(g.Volumes, volume), remove(v.Groups, group)
		delete(g.LUNs, volume)
	})
}

func (t *Tx) changeMembership(group, volume int64, change func(*Group, *Volume)) error {
	g, err := t.Groups().Get(group)
	if err != nil {
		return err
	}
	v, err := t.Volumes().Get(volume)
	if err != nil {
		return err
	}
	change(&g, &v)
	if err := t.PutGroup(g); err != nil {
		return err
	}
	return t.Volumes().put(volume, v)
}

func freeLUN(used map[int64]int64) int64 {
	taken := make(map[int64]bool, len(used))
	for _, lun := range used {
		taken[lun] = true
	}
	lun := int64(0)
	for taken[lun] {
		lun++
	}
	return lun
}

// InitiatorNamed finds an initiator by its name in lower case, or ErrNotFound.
func (t *Tx) InitiatorNamed(name string) (Initiator, error) {
	id := t.tx.Bucket(bucketInitiatorNames).Get([]byte(name))
	if id == nil {
		return Initiator{}, fmt.Errorf("initiator %q: %w", name, ErrNotFound)
	}
	return t.Initiators().Get(idOf(id))
}

// AddInitiator stores a new initiator, in no group, under a new id. The caller
// has made sure that the name is free.
func (t *Tx) AddInitiator(i Initiator) (Initiator, error) {
	var err error
	if i.ID, err = t.Initiators().next(); err != nil {
		return i, err
	}
	if err := t.tx.Bucket(bucketInitiatorNames).Put([]byte(i.Name), key(i.ID)); err != nil {
		return i, fmt.Errorf("initiator name %q: %w", i.Name, err)
	}
	return i, t.PutInitiator(i)
}

// PutInitiator replaces an initiator; its name and group must be unchanged.
func (t *Tx) PutInitiator(i Initiator) error { return t.Initiators().put(i.ID, i) }

// RemoveInitiator removes an initiator, also from its group.
func (t *Tx) RemoveInitiator(id int64) error {
	i, err := t.Initiators().Get(id)
	if err != nil {
		return err
	}
	if err := t.SetInitiatorGroup(id, 0); err != nil {
		return err
	}
	if err := t.tx.Bucket(bucketInitiatorNames).Delete([]byte(i.Name)); err != nil {
		return fmt.Errorf("initiator name %q: %w", i.Name, err)
	}
	return t.Initiators().remove(id)
}

// SetInitiatorGroup moves an initiator to a group, 0 = to none.
func (t *Tx) SetInitiatorGroup(initiator, group int64) error {
	i, err := t.Initiators().Get(initiator)
	if err != nil {
		return err
	}
	if i.GroupID != 0 {
		old, err := t.Groups().Get(i.GroupID)
		if err != nil {
			return err
		}
		old.Initiators = remove(old.Initiators, initiator)
		if err := t.PutGroup(old); err != nil {
			return err
		}
	}
	if group != 0 {
		g, err := t.Groups().Get(group)
		if err != nil {
			return err
		}
		g.Initiators = insert(g.Initiators, initiator)
		if err := t.PutGroup(g); err != nil {
			return err
		}
	}
	i.GroupID = group
	return t.PutInitiator(i)
}
