package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/san-csi/san-csi/pkg/qos"
)

// The access modes of a volume.
const (
	ReadWrite         = "readWrite"
	ReadOnly          = "readOnly"
	Locked            = "locked"
	ReplicationTarget = "replicationTarget"
	SnapMirrorTarget  = "snapMirrorTarget"
)

// Volume is the record of one LUN.
type Volume struct {
	ID              int64
	Name            string // not unique
	AccountID       int64
	UUID            string
	ConsistencyUUID string
	Created         time.Time
	Size            int64 // bytes
	Access          string
	Enable512e      bool
	QoS             qos.Values      // IOPS of 4 KiB
	PolicyID        int64           // 0 = values of its own
	Attributes      json.RawMessage `json:",omitempty"`
	Groups          []int64         // the access groups it is in, ascending
	Deleted         time.Time       // zero = active
	Purge           time.Time       // when a deleted volume is removed for good
	Cloning         bool            // the job that fills it is under way
	FIFOSize        int64           // snapshots that give way to newer ones, at most; 0 = the array's default
	MinFIFOSize     int64           // places for snapshots that are kept for those
	DontMove        bool            // dontMoveForIopsRebalance, kept and told
	Layer           int64           // where its blocks are; the store's own
}

// Active tells a volume from one in the recycle bin.
func (v Volume) Active() bool { return v.Deleted.IsZero() }

// Reachable: initiators may log in.
func (v Volume) Reachable() bool {
	return v.Active() && !v.Cloning && (v.Access == ReadWrite || v.Access == ReadOnly)
}

// IQN is the volume's target name: <prefix>:<cluster>.<name>.<id>, so that the
// number after the last dot names the volume.
func (v Volume) IQN(c Cluster) string {
	return fmt.Sprintf("iqn.2010-01.com.solidfire:%s.%s.%d", c.UniqueID, strings.ToLower(v.Name), v.ID)
}

// hexID is the part of the SCSI identifiers that tells volumes apart.
func (v Volume) hexID(c Cluster) string { return fmt.Sprintf("%x%08x", c.UniqueID, v.ID) }

// EUI is the 16-byte EUI-64 designator in hex (SPC-4 §7.8.6.5.3).
func (v Volume) EUI(c Cluster) string { return v.hexID(c) + "f47acc0100000000" }

// NAA is the NAA 6 designator in hex (SPC-4 §7.8.6.6.5).
func (v Volume) NAA(c Cluster) string { return "6f47acc100000000" + v.hexID(c) }

// VolumeOfIQN reads the volume's id from a target name.
func VolumeOfIQN(iqn string) (int64, bool) {
	id, err := strconv.ParseInt(iqn[strings.LastIndexByte(iqn, '.')+1:], 10, 64)
	return id, err == nil && id > 0
}

// Volumes is the table of volumes, deleted ones included.
func (t *Tx) Volumes() Table[Volume] { return table[Volume](t, bucketVolumes, "volume") }

// VolumesNamed are the volumes of exactly that name, by id.
func (t *Tx) VolumesNamed(name string) ([]Volume, error) {
	var found []Volume
	prefix := append([]byte(name), 0)
	c := t.tx.Bucket(bucketVolumeNames).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		v, err := t.Volumes().Get(idOf(k[len(prefix):]))
		if err != nil {
			return nil, err
		}
		found = append(found, v)
	}
	return found, nil
}

// DeletedVolumes are the ids in the recycle bin.
func (t *Tx) DeletedVolumes() map[int64]bool {
	ids := map[int64]bool{}
	c := t.tx.Bucket(bucketDeleted).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		ids[idOf(k)] = true
	}
	return ids
}

// AddVolume stores a new volume under a new id, of v.Size bytes that read as
// zeroes, and enters it in its account.
func (t *Tx) AddVolume(v Volume) (Volume, error) { return t.addVolume(v, layerInfo{}, 0) }

// addVolume shows the overlap of a layer; of the zero one, nothing.
func (t *Tx) addVolume(v Volume, of layerInfo, overlap int64) (Volume, error) {
	var err error
	if v.ID, err = t.Volumes().next(); err != nil {
		return v, err
	}
	top, err := t.addLayer(of.ID, min(overlap, of.Size, v.Size), v.Size)
	if err != nil {
		return v, err
	}
	v.Layer = top.ID
	if err := t.addRef(top.ID, layerRef{refVolume, v.ID}); err != nil {
		return v, err
	}
	if err := t.tx.Bucket(bucketVolumeNames).Put(nameKey(v), nil); err != nil {
		return v, fmt.Errorf("volume name %q: %w", v.Name, err)
	}
	if err := t.setOwner(v.ID, 0, v.AccountID); err != nil {
		return v, err
	}
	if err := t.count(Volume{}, v); err != nil {
		return v, err
	}
	return v, t.Volumes().put(v.ID, v)
}

// PutVolume replaces a volume. Its blocks grow with Size; its name and groups
// must be unchanged.
func (t *Tx) PutVolume(v Volume) error {
	old, err := t.Volumes().Get(v.ID)
	if err != nil {
		return err
	}
	v.Layer = old.Layer
	if v.Size > old.Size {
		if err := t.growTop(old, v.Size); err != nil {
			return err
		}
	}
	if err := t.setOwner(v.ID, old.AccountID, v.AccountID); err != nil {
		return err
	}
	if err := t.markDeleted(v); err != nil {
		return err
	}
	if err := t.count(old, v); err != nil {
		return err
	}
	return t.Volumes().put(v.ID, v)
}

func (t *Tx) markDeleted(v Volume) error {
	b := t.tx.Bucket(bucketDeleted)
	if v.Active() {
		return b.Delete(key(v.ID))
	}
	return b.Put(key(v.ID), nil)
}

// RemoveVolume removes the record with all that refers to it and the volume's
// snapshots, and the blocks that nothing else shows.
func (t *Tx) RemoveVolume(id int64) error {
	v, err := t.Volumes().Get(id)
	if err != nil {
		return err
	}
	for _, group := range v.Groups {
		if err := t.RemoveFromGroup(group, id); err != nil {
			return err
		}
	}
	snapshots, err := t.SnapshotsOf(id)
	if err != nil {
		return err
	}
	for _, s := range snapshots {
		if err := t.RemoveSnapshot(s.ID); err != nil {
			return err
		}
	}
	if err := t.setOwner(id, v.AccountID, 0); err != nil {
		return err
	}
	if err := t.count(v, Volume{}); err != nil {
		return err
	}
	if err := t.tx.Bucket(bucketVolumeNames).Delete(nameKey(v)); err != nil {
		return fmt.Errorf("volume name %q: %w", v.Name, err)
	}
	if err := t.tx.Bucket(bucketDeleted).Delete(key(id)); err != nil {
		return fmt.Errorf("volume %d: %w", id, err)
	}
	if err := t.tx.Bucket(bucketCounters).Delete(key(id)); err != nil {
		return fmt.Errorf("counters of volume %d: %w", id, err)
	}
	if err := t.tx.Bucket(bucketReservations).Delete(key(id)); err != nil {
		return fmt.Errorf("reservations of volume %d: %w", id, err)
	}
	if err := t.dropRef(v.Layer, layerRef{refVolume, id}); err != nil {
		return err
	}
	return t.Volumes().remove(id)
}

func nameKey(v Volume) []byte { return append(append([]byte(v.Name), 0), key(v.ID)...) }
