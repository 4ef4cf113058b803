package api

import (
	"encoding/json"
	"time"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// The forms of time on the wire, both UTC.
const (
	timeLayout  = "2006-01-02T15:04:05Z"
	microLayout = "2006-01-02T15:04:05.000000Z"
)

// at is a time as objects carry it: "" where it is not set.
func at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeLayout)
}

// microsAt is a time as statistics, faults and sessions carry it.
func microsAt(t time.Time) string { return t.UTC().Format(microLayout) }

type wireVolume struct {
	ID                int64           `json:"volumeID"`
	Name              string          `json:"name"`
	AccountID         int64           `json:"accountID"`
	CreateTime        string          `json:"createTime"`
	VolumeUUID        string          `json:"volumeUUID"`
	ConsistencyUUID   string          `json:"volumeConsistencyGroupUUID"`
	SnapMirror        bool            `json:"enableSnapMirrorReplication"`
	Status            string          `json:"status"`
	Access            string          `json:"access"`
	Enable512e        bool            `json:"enable512e"`
	BlockSize         int             `json:"blockSize"` // 4096 also with 512e
	IQN               string          `json:"iqn"`
	EUI               string          `json:"scsiEUIDeviceID"`
	NAA               string          `json:"scsiNAADeviceID"`
	QoS               wireQoS         `json:"qos"`
	QoSPolicyID       *int64          `json:"qosPolicyID"`
	AccessGroups      []int64         `json:"volumeAccessGroups"`
	VolumePairs       []any           `json:"volumePairs"`
	DeleteTime        string          `json:"deleteTime"`
	PurgeTime         string          `json:"purgeTime"`
	LastAccessTime    *string         `json:"lastAccessTime"`
	LastAccessTimeIO  *string         `json:"lastAccessTimeIO"`
	SliceCount        int             `json:"sliceCount"`
	TotalSize         int64           `json:"totalSize"`
	VirtualVolumeID   *string         `json:"virtualVolumeID"`
	Attributes        json.RawMessage `json:"attributes"`
	CurrentProtection string          `json:"currentProtectionScheme"`
	PreviousScheme    *string         `json:"previousProtectionScheme"`
	FIFOSize          int64           `json:"fifoSize"`
	MinFIFOSize       int64           `json:"minFifoSize"`
	DontMove          bool            `json:"dontMoveForIopsRebalance"`
}

func (c *call) toWireVolume(v store.Volume) (wireVolume, error) {
	cluster, err := c.tx.Cluster()
	if err != nil {
		return wireVolume{}, err
	}
	w := wireVolume{
		ID: v.ID, Name: v.Name, AccountID: v.AccountID, CreateTime: at(v.Created),
		VolumeUUID: v.UUID, ConsistencyUUID: v.ConsistencyUUID,
		Status: status(v), Access: v.Access, Enable512e: v.Enable512e, BlockSize: 4096,
		IQN: v.IQN(cluster), EUI: v.EUI(cluster), NAA: v.NAA(cluster),
		QoS: toWireQoS(v.QoS), AccessGroups: list(v.Groups), VolumePairs: []any{},
		DeleteTime: at(v.Deleted), PurgeTime: at(v.Purge),
		SliceCount: 1, TotalSize: v.Size, Attributes: object(v.Attributes),
		CurrentProtection: protectionScheme, FIFOSize: fifoSize(v), MinFIFOSize: v.MinFIFOSize, DontMove: v.DontMove,
	}
	if v.Cloning {
		w.SliceCount = 0
	}
	if v.PolicyID != 0 {
		w.QoSPolicyID = &v.PolicyID
	}
	if last := c.config.Data.Usage(v).LastIO; !last.IsZero() {
		text := at(last)
		w.LastAccessTime, w.LastAccessTimeIO = &text, &text
	}
	return w, nil
}

func (c *call) toWireVolumes(volumes []store.Volume) ([]wireVolume, error) {
	out := make([]wireVolume, 0, len(volumes))
	for _, v := range volumes {
		w, err := c.toWireVolume(v)
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

const (
	statusActive  = "active"
	statusDeleted = "deleted"
	statusInit    = "init"
)

func status(v store.Volume) string {
	switch {
	case !v.Active():
		return statusDeleted
	case v.Cloning:
		return statusInit
	}
	return statusActive
}

// list is a list on the wire, where null would break clients.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// object is attributes on the wire, where null would break clients.
func object(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("{}")
	}
	return raw
}
