package api

import (
	"slices"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// The LUN numbers of a group are for Fibre Channel: over iSCSI a volume is
// always LUN 0 of its own target. They are kept because clients read them.

type wireLUN struct {
	VolumeID integer `json:"volumeID"`
	LUN      integer `json:"lun"`
}

func lunMethods() map[string]method {
	return map[string]method{
		"GetVolumeAccessGroupLunAssignments":    query(getLUNs, "volumeAccessGroupID"),
		"ModifyVolumeAccessGroupLunAssignments": change(modifyLUNs, "volumeAccessGroupID", "lunAssignments"),
	}
}

type lunParams struct {
	ID          integer   `json:"volumeAccessGroupID"`
	Assignments []wireLUN `json:"lunAssignments"`
}

func getLUNs(c *call, p lunParams) (any, error) {
	g, err := c.group(int64(p.ID))
	if err != nil {
		return nil, err
	}
	return c.lunResult(g), nil
}

func (c *call) lunResult(g store.Group) result {
	deleted := c.tx.DeletedVolumes()
	assigned, gone := []wireLUN{}, []wireLUN{}
	for _, id := range g.Volumes {
		entry := wireLUN{VolumeID: integer(id), LUN: integer(g.LUNs[id])}
		if deleted[id] {
			gone = append(gone, entry)
			continue
		}
		assigned = append(assigned, entry)
	}
	return result{"volumeAccessGroupLunAssignments": result{
		"volumeAccessGroupID": g.ID, "lunAssignments": assigned, "deletedLunAssignments": gone,
	}}
}

// modifyLUNs changes the numbers of some members; no two may have the same.
func modifyLUNs(c *call, p lunParams) (any, error) {
	g, err := c.group(int64(p.ID))
	if err != nil {
		return nil, err
	}
	for _, a := range p.Assignments {
		if !slices.Contains(g.Volumes, int64(a.VolumeID)) {
			return nil, failf(notInGroup, "VolumeID %d is not in VolumeAccessGroupID %d.", a.VolumeID, g.ID)
		}
		if err := within("lun", int64(a.LUN), 0, lunMax); err != nil {
			return nil, err
		}
		g.LUNs[int64(a.VolumeID)] = int64(a.LUN)
	}
	owner := map[int64]int64{}
	for volume, lun := range g.LUNs {
		if other, taken := owner[lun]; taken {
			return nil, failf(invalidParameter, "lun %d is assigned to both volumeID %d and %d", lun, min(volume, other), max(volume, other))
		}
		owner[lun] = volume
	}
	return c.lunResult(g), c.tx.PutGroup(g)
}
