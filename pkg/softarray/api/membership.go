package api

import (
	"slices"
)

func membershipMethods() map[string]method {
	return map[string]method{
		"AddInitiatorsToVolumeAccessGroup":      change(addInitiatorsTo, "volumeAccessGroupID", "initiators"),
		"RemoveInitiatorsFromVolumeAccessGroup": change(removeInitiatorsFrom, "volumeAccessGroupID", "initiators"),
		"AddVolumesToVolumeAccessGroup":         change(addVolumesTo, "volumeAccessGroupID"),
		"RemoveVolumesFromVolumeAccessGroup":    change(removeVolumesFrom, "volumeAccessGroupID"),
	}
}

func addInitiatorsTo(c *call, p groupParams) (any, error) {
	if _, err := c.group(int64(p.ID)); err != nil {
		return nil, err
	}
	ids, err := c.knownOrNew(p.Initiators.Values)
	if err != nil {
		return nil, err
	}
	if err := c.addInitiators(int64(p.ID), ids); err != nil {
		return nil, err
	}
	return c.groupResult(int64(p.ID))
}

func removeInitiatorsFrom(c *call, p groupParams) (any, error) {
	if _, err := c.group(int64(p.ID)); err != nil {
		return nil, err
	}
	var ids []int64
	for _, name := range p.Initiators.Values {
		i, err := c.known(name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, i.ID)
	}
	if err := c.removeInitiators(int64(p.ID), ids, p.DeleteOrphans.or(false)); err != nil {
		return nil, err
	}
	return c.groupResult(int64(p.ID))
}

func addVolumesTo(c *call, p groupParams) (any, error) {
	if err := c.addVolumes(int64(p.ID), p.Volumes.Values); err != nil {
		return nil, err
	}
	return c.groupResult(int64(p.ID))
}

func removeVolumesFrom(c *call, p groupParams) (any, error) {
	if err := c.removeVolumes(int64(p.ID), p.Volumes.Values); err != nil {
		return nil, err
	}
	return c.groupResult(int64(p.ID))
}

// addInitiators puts initiators into a group. The message about one that is in
// another group names it: a client tells by that from a full array.
func (c *call) addInitiators(group int64, ids []int64) error {
	for _, id := range ids {
		g, err := c.group(group)
		if err != nil {
			return err
		}
		i, err := c.tx.Initiators().Get(id)
		if err != nil {
			return err
		}
		if i.GroupID == group {
			return failf(alreadyInGroup, "Initiator %s is already in VolumeAccessGroupID %d.", i.Name, group)
		}
		if i.GroupID != 0 {
			return failf(exceededLimit, "Exceeded maximum number of VolumeAccessGroups per Initiator: %d, %s is in VolumeAccessGroupID %d",
				groupsPerInitiatorMax, i.Name, i.GroupID)
		}
		if err := room("Initiators per VolumeAccessGroup", int64(len(g.Initiators)), c.config.Dialect.initiatorsPerGroup()); err != nil {
			return err
		}
		if err := c.tx.SetInitiatorGroup(id, group); err != nil {
			return err
		}
	}
	return nil
}

// removeInitiators takes initiators out of a group. Sessions they have stay,
// as on the real array: a client that fences ends them itself.
func (c *call) removeInitiators(group int64, ids []int64, deleteThem bool) error {
	for _, id := range ids {
		i, err := c.tx.Initiators().Get(id)
		if err != nil {
			return err
		}
		if i.GroupID != group {
			return failf(notInGroup, "Initiator %s is not in VolumeAccessGroupID %d.", i.Name, group)
		}
		remove := func() error { return c.tx.SetInitiatorGroup(id, 0) }
		if deleteThem {
			remove = func() error { return c.tx.RemoveInitiator(id) }
		}
		if err := remove(); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) addVolumes(group int64, ids []int64) error {
	g, err := c.group(group)
	if err != nil {
		return err
	}
	members := int64(len(g.Volumes))
	for _, id := range ids {
		v, err := c.activeVolume(id)
		if err != nil {
			return err
		}
		if slices.Contains(v.Groups, group) {
			return failf(alreadyInGroup, "VolumeID %d is already in VolumeAccessGroupID %d.", id, group)
		}
		if err := room("Volumes per VolumeAccessGroup", members, volumesPerGroupMax); err != nil {
			return err
		}
		if err := room("VolumeAccessGroups per Volume", int64(len(v.Groups)), c.config.Dialect.groupsPerVolume()); err != nil {
			return err
		}
		if err := c.tx.AddToGroup(group, id); err != nil {
			return err
		}
		members++
	}
	return nil
}

// removeVolumes takes volumes out of a group, deleted ones too; sessions stay.
func (c *call) removeVolumes(group int64, ids []int64) error {
	if _, err := c.group(group); err != nil {
		return err
	}
	for _, id := range ids {
		v, err := c.volume(id)
		if err != nil {
			return err
		}
		if !slices.Contains(v.Groups, group) {
			return failf(notInGroup, "VolumeID %d is not in VolumeAccessGroupID %d.", id, group)
		}
		if err := c.tx.RemoveFromGroup(group, id); err != nil {
			return err
		}
	}
	return nil
}
