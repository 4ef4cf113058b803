package element

import (
	"context"
	"encoding/json"
)

// States and access modes of a volume.
const (
	StatusInit    = "init" // a clone without its content yet
	StatusActive  = "active"
	StatusDeleted = "deleted"

	AccessReadWrite = "readWrite"
	AccessReadOnly  = "readOnly"
	AccessLocked    = "locked"
)

// Attributes are an object's own keys, kept as they came so that what other
// clients wrote survives a change. The array replaces them as a whole and takes
// less than 1000 bytes.
type Attributes map[string]json.RawMessage

// UnmarshalJSON reads an object; what stands for none ("" and null) is empty.
func (a *Attributes) UnmarshalJSON(data []byte) error {
	if string(data) == `""` || string(data) == "null" {
		*a = Attributes{}
		return nil
	}
	return json.Unmarshal(data, (*map[string]json.RawMessage)(a))
}

// QoS is a volume's quality of service, IOPS of 4 KiB. In requests a member of
// 0 is not given.
type QoS struct {
	MinIOPS   int64 `json:"minIOPS,omitempty"`
	MaxIOPS   int64 `json:"maxIOPS,omitempty"`
	BurstIOPS int64 `json:"burstIOPS,omitempty"`
}

// Volume is a volume as the array shows it.
type Volume struct {
	VolumeID           int64      `json:"volumeID"`
	VolumeUUID         string     `json:"volumeUUID"`
	Name               string     `json:"name"`
	AccountID          int64      `json:"accountID"`
	Status             string     `json:"status"`
	Access             string     `json:"access"`
	IQN                string     `json:"iqn"`
	NAA                string     `json:"scsiNAADeviceID"` // 32 hex digits
	TotalSize          int64      `json:"totalSize"`       // bytes
	QoS                QoS        `json:"qos"`
	QoSPolicyID        *int64     `json:"qosPolicyID"`
	VolumeAccessGroups []int64    `json:"volumeAccessGroups"`
	Attributes         Attributes `json:"attributes"`
	CreateTime         string     `json:"createTime"` // RFC 3339, UTC
}

// CreateVolumeRequest: TotalSize in bytes; QoS and QoSPolicyID exclude each other.
type CreateVolumeRequest struct {
	Name                   string     `json:"name"`
	AccountID              int64      `json:"accountID"`
	TotalSize              int64      `json:"totalSize"`
	Enable512e             bool       `json:"enable512e"`
	QoS                    *QoS       `json:"qos,omitempty"`
	QoSPolicyID            int64      `json:"qosPolicyID,omitempty"`
	AssociateWithQoSPolicy *bool      `json:"associateWithQoSPolicy,omitempty"`
	Attributes             Attributes `json:"attributes,omitempty"`
}

// ModifyVolumeRequest changes what it gives; Attributes replace all there are.
type ModifyVolumeRequest struct {
	VolumeID               int64      `json:"volumeID"`
	TotalSize              int64      `json:"totalSize,omitempty"`
	Access                 string     `json:"access,omitempty"`
	QoS                    *QoS       `json:"qos,omitempty"`
	QoSPolicyID            int64      `json:"qosPolicyID,omitempty"`
	AssociateWithQoSPolicy *bool      `json:"associateWithQoSPolicy,omitempty"`
	Attributes             Attributes `json:"attributes,omitempty"`
}

// ListVolumesRequest: VolumeIDs excludes Accounts, StartVolumeID and Limit. The
// answer holds active and deleted volumes unless VolumeStatus is given.
type ListVolumesRequest struct {
	Accounts      []int64 `json:"accounts,omitempty"`
	VolumeIDs     []int64 `json:"volumeIDs,omitempty"`
	VolumeName    string  `json:"volumeName,omitempty"`
	VolumeStatus  string  `json:"volumeStatus,omitempty"`
	StartVolumeID int64   `json:"startVolumeID,omitempty"`
	Limit         int     `json:"limit,omitempty"`
}

type volumeResult struct {
	Volume Volume `json:"volume"`
}

type volumesResult struct {
	Volumes []Volume `json:"volumes"`
}

type volumeParams struct {
	VolumeID int64 `json:"volumeID"`
}

type volumesParams struct {
	VolumeIDs []int64 `json:"volumeIDs"`
}

// CreateVolume makes a volume. It is not repeated once it was sent: a second
// call makes a second volume of the same name.
func (c *Client) CreateVolume(ctx context.Context, r CreateVolumeRequest) (Volume, error) {
	var result volumeResult
	err := c.once(ctx, "CreateVolume", r, &result)
	return result.Volume, err
}

// ModifyVolume changes a volume.
func (c *Client) ModifyVolume(ctx context.Context, r ModifyVolumeRequest) (Volume, error) {
	var result volumeResult
	err := c.repeat(ctx, "ModifyVolume", r, &result)
	return result.Volume, err
}

// ListVolumes returns volumes in ascending order of their ids.
func (c *Client) ListVolumes(ctx context.Context, r ListVolumesRequest) ([]Volume, error) {
	var result volumesResult
	err := c.repeat(ctx, "ListVolumes", r, &result)
	return result.Volumes, err
}

// DeleteVolume moves a volume to the recycle bin, where it is purged after 8 h,
// and returns it as it is there.
func (c *Client) DeleteVolume(ctx context.Context, id int64) (Volume, error) {
	var result volumeResult
	err := c.repeat(ctx, "DeleteVolume", volumeParams{id}, &result)
	return result.Volume, err
}

// RestoreDeletedVolume takes a volume out of the recycle bin again, with its
// snapshots and its places in access groups.
func (c *Client) RestoreDeletedVolume(ctx context.Context, id int64) error {
	return c.repeat(ctx, "RestoreDeletedVolume", volumeParams{id}, nil)
}

// PurgeDeletedVolume removes a volume from the recycle bin, for good.
func (c *Client) PurgeDeletedVolume(ctx context.Context, id int64) error {
	return c.repeat(ctx, "PurgeDeletedVolume", volumeParams{id}, nil)
}

// DeleteVolumes moves volumes to the recycle bin: all, or none. It returns them
// as they are there.
func (c *Client) DeleteVolumes(ctx context.Context, ids []int64) ([]Volume, error) {
	var result volumesResult
	err := c.repeat(ctx, "DeleteVolumes", volumesParams{ids}, &result)
	return result.Volumes, err
}

// PurgeDeletedVolumes removes volumes from the recycle bin: all, or none.
func (c *Client) PurgeDeletedVolumes(ctx context.Context, ids []int64) error {
	return c.repeat(ctx, "PurgeDeletedVolumes", volumesParams{ids}, nil)
}

// VolumeStats is what a volume did in the array's last sample.
type VolumeStats struct {
	VolumeID   int64   `json:"volumeID"`
	ActualIOPS int64   `json:"actualIOPS"`
	Throttle   float64 `json:"throttle"` // 0 to 1
}

// ListVolumeStats returns the statistics of the volumes of those ids.
func (c *Client) ListVolumeStats(ctx context.Context, ids ...int64) ([]VolumeStats, error) {
	var result struct {
		Stats []VolumeStats `json:"volumeStats"`
	}
	err := c.repeat(ctx, "ListVolumeStats", volumesParams{ids}, &result)
	return result.Stats, err
}
