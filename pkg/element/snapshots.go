package element

import "context"

// SnapshotPreparing is the status of a snapshot that cannot be cloned yet.
const SnapshotPreparing = "preparing"

// Snapshot is a volume's content as it was. The array changes its attributes at
// no call.
type Snapshot struct {
	SnapshotID   int64      `json:"snapshotID"`
	SnapshotUUID string     `json:"snapshotUUID"`
	VolumeID     int64      `json:"volumeID"`
	Name         string     `json:"name"`
	Status       string     `json:"status"`
	TotalSize    int64      `json:"totalSize"` // bytes, the volume's at that time
	GroupID      int64      `json:"groupID"`   // 0 = of no group
	GroupUUID    string     `json:"groupSnapshotUUID"`
	CreateTime   string     `json:"createTime"` // RFC 3339
	Attributes   Attributes `json:"attributes"`
}

// GroupSnapshot is the content of several volumes as it was at one moment. The
// members bear its name, and none of its attributes.
type GroupSnapshot struct {
	GroupSnapshotID   int64      `json:"groupSnapshotID"`
	GroupSnapshotUUID string     `json:"groupSnapshotUUID"`
	Name              string     `json:"name"`
	Status            string     `json:"status"`
	CreateTime        string     `json:"createTime"` // RFC 3339
	Members           []Snapshot `json:"members"`
	Attributes        Attributes `json:"attributes"`
}

// CreateSnapshotRequest: the array allows one name for several snapshots.
type CreateSnapshotRequest struct {
	VolumeID   int64      `json:"volumeID"`
	Name       string     `json:"name"`
	Attributes Attributes `json:"attributes,omitempty"`
}

// ListSnapshotsRequest: one snapshot, those of one volume, or all.
type ListSnapshotsRequest struct {
	VolumeID   int64 `json:"volumeID,omitempty"`
	SnapshotID int64 `json:"snapshotID,omitempty"`
}

// CreateGroupSnapshotRequest: the array allows one name for several groups.
type CreateGroupSnapshotRequest struct {
	Volumes    []int64    `json:"volumes"`
	Name       string     `json:"name"`
	Attributes Attributes `json:"attributes,omitempty"`
}

// ListGroupSnapshotsRequest: one group, or all.
type ListGroupSnapshotsRequest struct {
	GroupSnapshotID int64 `json:"groupSnapshotID,omitempty"`
}

// CreateSnapshot keeps the volume's content. It is not repeated once it was
// sent: a second call makes a second snapshot.
func (c *Client) CreateSnapshot(ctx context.Context, r CreateSnapshotRequest) (Snapshot, error) {
	var result struct {
		Snapshot Snapshot `json:"snapshot"`
	}
	err := c.once(ctx, "CreateSnapshot", r, &result)
	return result.Snapshot, err
}

// ListSnapshots returns snapshots.
func (c *Client) ListSnapshots(ctx context.Context, r ListSnapshotsRequest) ([]Snapshot, error) {
	var result struct {
		Snapshots []Snapshot `json:"snapshots"`
	}
	err := c.repeat(ctx, "ListSnapshots", r, &result)
	return result.Snapshots, err
}

// RenameSnapshot gives a snapshot another name.
func (c *Client) RenameSnapshot(ctx context.Context, id int64, name string) error {
	return c.repeat(ctx, "ModifySnapshot", struct {
		SnapshotID int64  `json:"snapshotID"`
		Name       string `json:"name"`
	}{id, name}, nil)
}

// DeleteSnapshot removes a snapshot, for good.
func (c *Client) DeleteSnapshot(ctx context.Context, id int64) error {
	return c.repeat(ctx, "DeleteSnapshot", struct {
		SnapshotID int64 `json:"snapshotID"`
	}{id}, nil)
}

// CreateGroupSnapshot keeps the content of volumes at one moment. It is not
// repeated once it was sent.
func (c *Client) CreateGroupSnapshot(ctx context.Context, r CreateGroupSnapshotRequest) (GroupSnapshot, error) {
	var result struct {
		Group GroupSnapshot `json:"groupSnapshot"`
	}
	err := c.once(ctx, "CreateGroupSnapshot", r, &result)
	return result.Group, err
}

// ListGroupSnapshots returns groups with their members.
func (c *Client) ListGroupSnapshots(ctx context.Context, r ListGroupSnapshotsRequest) ([]GroupSnapshot, error) {
	var result struct {
		Groups []GroupSnapshot `json:"groupSnapshots"`
	}
	err := c.repeat(ctx, "ListGroupSnapshots", r, &result)
	return result.Groups, err
}

// RenameGroupSnapshot gives a group another name.
func (c *Client) RenameGroupSnapshot(ctx context.Context, id int64, name string) error {
	return c.repeat(ctx, "ModifyGroupSnapshot", struct {
		GroupSnapshotID int64  `json:"groupSnapshotID"`
		Name            string `json:"name"`
	}{id, name}, nil)
}

// DeleteGroupSnapshot removes a group with its members, for good.
func (c *Client) DeleteGroupSnapshot(ctx context.Context, id int64) error {
	return c.repeat(ctx, "DeleteGroupSnapshot", struct {
		GroupSnapshotID int64 `json:"groupSnapshotID"`
		SaveMembers     bool  `json:"saveMembers"`
	}{id, false}, nil)
}
