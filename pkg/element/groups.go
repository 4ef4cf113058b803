package element

import "context"

// VolumeAccessGroup lets its initiators reach its volumes. An initiator is in
// one group at most.
type VolumeAccessGroup struct {
	ID         int64    `json:"volumeAccessGroupID"`
	Name       string   `json:"name"`
	Initiators []string `json:"initiators"`
	// InitiatorIDs are those of the initiators.
	InitiatorIDs []int64    `json:"initiatorIDs"`
	Volumes      []int64    `json:"volumes"`
	Attributes   Attributes `json:"attributes"`
}

// CreateVolumeAccessGroupRequest: initiators by name are made where they are unknown.
type CreateVolumeAccessGroupRequest struct {
	Name       string     `json:"name"`
	Initiators []string   `json:"initiators,omitempty"`
	Volumes    []int64    `json:"volumes,omitempty"`
	Attributes Attributes `json:"attributes,omitempty"`
}

// ListVolumeAccessGroupsRequest: IDs excludes StartID and Limit.
type ListVolumeAccessGroupsRequest struct {
	IDs     []int64 `json:"volumeAccessGroups,omitempty"`
	StartID int64   `json:"startVolumeAccessGroupID,omitempty"`
	Limit   int     `json:"limit,omitempty"`
}

type groupResult struct {
	Group VolumeAccessGroup `json:"volumeAccessGroup"`
}

type groupVolumes struct {
	ID      int64   `json:"volumeAccessGroupID"`
	Volumes []int64 `json:"volumes"`
}

// CreateVolumeAccessGroup makes a group. It is not repeated once it was sent:
// names of groups need not be unique.
func (c *Client) CreateVolumeAccessGroup(ctx context.Context, r CreateVolumeAccessGroupRequest) (VolumeAccessGroup, error) {
	var result groupResult
	err := c.once(ctx, "CreateVolumeAccessGroup", r, &result)
	return result.Group, err
}

// ListVolumeAccessGroups returns groups in ascending order of their ids.
func (c *Client) ListVolumeAccessGroups(ctx context.Context, r ListVolumeAccessGroupsRequest) ([]VolumeAccessGroup, error) {
	var result struct {
		Groups []VolumeAccessGroup `json:"volumeAccessGroups"`
	}
	err := c.repeat(ctx, "ListVolumeAccessGroups", r, &result)
	return result.Groups, err
}

// AddVolumesToVolumeAccessGroup returns the group as it then is. It fails as a
// whole, with XAlreadyInVolumeAccessGroup where a volume is a member.
func (c *Client) AddVolumesToVolumeAccessGroup(ctx context.Context, group int64, volumes ...int64) (VolumeAccessGroup, error) {
	var result groupResult
	err := c.repeat(ctx, "AddVolumesToVolumeAccessGroup", groupVolumes{group, volumes}, &result)
	return result.Group, err
}

// RemoveVolumesFromVolumeAccessGroup returns the group as it then is. It fails
// as a whole, with XNotInVolumeAccessGroup where a volume is no member.
func (c *Client) RemoveVolumesFromVolumeAccessGroup(ctx context.Context, group int64, volumes ...int64) (VolumeAccessGroup, error) {
	var result groupResult
	err := c.repeat(ctx, "RemoveVolumesFromVolumeAccessGroup", groupVolumes{group, volumes}, &result)
	return result.Group, err
}

// ModifyVolumeAccessGroup replaces a group's attributes.
func (c *Client) ModifyVolumeAccessGroup(ctx context.Context, id int64, attributes Attributes) error {
	params := struct {
		ID         int64      `json:"volumeAccessGroupID"`
		Attributes Attributes `json:"attributes"`
	}{id, attributes}
	return c.repeat(ctx, "ModifyVolumeAccessGroup", params, nil)
}

// DeleteVolumeAccessGroup deletes a group, and with orphans the initiators that
// are then in none.
func (c *Client) DeleteVolumeAccessGroup(ctx context.Context, id int64, orphans bool) error {
	params := struct {
		ID      int64 `json:"volumeAccessGroupID"`
		Orphans bool  `json:"deleteOrphanInitiators"`
	}{id, orphans}
	return c.repeat(ctx, "DeleteVolumeAccessGroup", params, nil)
}
