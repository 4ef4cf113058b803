package api

import (
	"cmp"
	"encoding/json"

	"github.com/google/uuid"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// checksum is what the real array answers where no checksum was asked for.
const checksum = "0x0"

const statusDone = "done"

type wireSnapshot struct {
	ID               int64           `json:"snapshotID"`
	VolumeID         int64           `json:"volumeID"`
	VolumeName       string          `json:"volumeName"`
	Name             string          `json:"name"`
	Checksum         string          `json:"checksum"`
	Status           string          `json:"status"`
	TotalSize        int64           `json:"totalSize"`
	GroupID          int64           `json:"groupID"`
	GroupUUID        string          `json:"groupSnapshotUUID"`
	UUID             string          `json:"snapshotUUID"`
	InstanceUUID     string          `json:"instanceSnapshotUUID"`
	CreateTime       string          `json:"createTime"`
	InstanceTime     string          `json:"instanceCreateTime"`
	Replicate        bool            `json:"enableRemoteReplication"`
	ExpirationReason string          `json:"expirationReason"`
	ExpirationTime   *string         `json:"expirationTime"`
	RemoteStatuses   []any           `json:"remoteStatuses"`
	MirrorLabel      *string         `json:"snapMirrorLabel"`
	VirtualVolumeID  *string         `json:"virtualVolumeID"`
	Attributes       json.RawMessage `json:"attributes"`
}

func (c *call) toWireSnapshot(s store.Snapshot) (wireSnapshot, error) {
	v, err := c.tx.Volumes().Get(s.VolumeID)
	w := wireSnapshot{
		ID: s.ID, VolumeID: s.VolumeID, VolumeName: v.Name, Name: s.Name, Checksum: checksum, Status: statusDone, TotalSize: s.Size,
		GroupID: s.GroupID, GroupUUID: cmp.Or(s.GroupUUID, uuid.Nil.String()), UUID: s.UUID, InstanceUUID: s.InstanceUUID,
		CreateTime: at(s.Created), InstanceTime: at(s.Created), Replicate: s.Replicate,
		ExpirationReason: "None", ExpirationTime: optional(at(s.Expires)), RemoteStatuses: []any{},
		MirrorLabel: optional(s.MirrorLabel), Attributes: object(s.Attributes),
	}
	switch {
	case s.FIFO:
		w.ExpirationReason = "fifo"
	case !s.Expires.IsZero():
		w.ExpirationReason = "Api"
	}
	return w, err
}

func (c *call) toWireSnapshots(snapshots []store.Snapshot) ([]wireSnapshot, error) {
	out := make([]wireSnapshot, 0, len(snapshots))
	for _, s := range snapshots {
		w, err := c.toWireSnapshot(s)
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

type wireGroupSnapshot struct {
	ID         int64           `json:"groupSnapshotID"`
	UUID       string          `json:"groupSnapshotUUID"`
	Name       string          `json:"name"`
	CreateTime string          `json:"createTime"`
	Status     string          `json:"status"`
	Replicate  bool            `json:"enableRemoteReplication"`
	Attributes json.RawMessage `json:"attributes"`
	Members    []wireSnapshot  `json:"members"`
}

func (c *call) toWireGroupSnapshot(g store.GroupSnapshot) (wireGroupSnapshot, error) {
	members, err := c.membersOf(g)
	if err != nil {
		return wireGroupSnapshot{}, err
	}
	w, err := c.toWireSnapshots(members)
	return wireGroupSnapshot{
		ID: g.ID, UUID: g.UUID, Name: g.Name, CreateTime: at(g.Created), Status: statusDone,
		Replicate: g.Replicate, Attributes: object(g.Attributes), Members: w,
	}, err
}

func (c *call) membersOf(g store.GroupSnapshot) ([]store.Snapshot, error) {
	members := make([]store.Snapshot, 0, len(g.Members))
	for _, id := range g.Members {
		s, err := c.tx.Snapshots().Get(id)
		if err != nil {
			return nil, err
		}
		members = append(members, s)
	}
	return members, nil
}

// wireMember is a member as the calls that make a group answer it.
type wireMember struct {
	VolumeID     int64  `json:"volumeID"`
	SnapshotID   int64  `json:"snapshotID"`
	SnapshotUUID string `json:"snapshotUUID"`
	Checksum     string `json:"checksum"`
}

func toWireMembers(snapshots []store.Snapshot) []wireMember {
	out := make([]wireMember, 0, len(snapshots))
	for _, s := range snapshots {
		out = append(out, wireMember{VolumeID: s.VolumeID, SnapshotID: s.ID, SnapshotUUID: s.UUID, Checksum: checksum})
	}
	return out
}
