package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Snapshot is the record of a volume's content at one moment. Its id is never
// used again.
type Snapshot struct {
	ID           int64
	VolumeID     int64
	Name         string // not unique
	UUID         string
	InstanceUUID string
	Created      time.Time
	Size         int64           // bytes of the volume at that moment
	GroupID      int64           // the group snapshot it is a member of, 0 = none
	GroupUUID    string          // "" = in no group
	Attributes   json.RawMessage `json:",omitempty"`
	Expires      time.Time       // zero = never
	FIFO         bool            // gives way to a newer one where there are too many
	Replicate    bool            // enableRemoteReplication, kept and told
	MirrorLabel  string          // snapMirrorLabel, kept and told
	Layer        int64           // where its blocks are; the store's own
}

// Snapshots is the table of snapshots, those of deleted volumes included.
func (t *Tx) Snapshots() Table[Snapshot] { return table[Snapshot](t, bucketSnapshots, "snapshot") }

// SnapshotsOf are a volume's snapshots, by id.
func (t *Tx) SnapshotsOf(volume int64) ([]Snapshot, error) {
	var found []Snapshot
	prefix := key(volume)
	c := t.tx.Bucket(bucketVolumeSnapshots).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		s, err := t.Snapshots().Get(idOf(k[len(prefix):]))
		if err != nil {
			return nil, err
		}
		found = append(found, s)
	}
	return found, nil
}

// AddSnapshot keeps the present content of the volume s.VolumeID under a new
// id, in constant time. ID and Size are the store's to set; the volume may be
// in use: a write that ended before the call is in the snapshot, one that
// begins after the transaction is committed is not.
func (t *Tx) AddSnapshot(s Snapshot) (Snapshot, error) {
	of, err := t.source(s.VolumeID, 0)
	if err != nil {
		return s, err
	}
	s.Size, s.Layer = of.size, of.layer.ID
	return t.addSnapshot(s)
}

// CopySnapshot keeps the content of another snapshot under a new id. VolumeID
// and Size are the other one's.
func (t *Tx) CopySnapshot(source int64, s Snapshot) (Snapshot, error) {
	of, err := t.Snapshots().Get(source)
	if err != nil {
		return s, err
	}
	s.VolumeID, s.Size, s.Layer = of.VolumeID, of.Size, of.Layer
	return t.addSnapshot(s)
}

func (t *Tx) addSnapshot(s Snapshot) (Snapshot, error) {
	var err error
	if s.ID, err = t.Snapshots().next(); err != nil {
		return s, err
	}
	if err := t.tx.Bucket(bucketVolumeSnapshots).Put(pair(s.VolumeID, s.ID), nil); err != nil {
		return s, fmt.Errorf("snapshot of volume %d: %w", s.VolumeID, err)
	}
	if err := t.addRef(s.Layer, layerRef{refSnapshot, s.ID}); err != nil {
		return s, err
	}
	return s, t.Snapshots().put(s.ID, s)
}

// PutSnapshot replaces what a caller may change of a snapshot: name,
// attributes, expiration, replication and label. The rest stays.
func (t *Tx) PutSnapshot(s Snapshot) error {
	old, err := t.Snapshots().Get(s.ID)
	if err != nil {
		return err
	}
	s.VolumeID, s.Size, s.Layer = old.VolumeID, old.Size, old.Layer
	s.GroupID, s.GroupUUID = old.GroupID, old.GroupUUID
	return t.Snapshots().put(s.ID, s)
}

// RemoveSnapshot removes a snapshot, also from its group; the last member takes
// the group with it.
func (t *Tx) RemoveSnapshot(id int64) error {
	s, err := t.Snapshots().Get(id)
	if err != nil {
		return err
	}
	if err := t.leaveGroup(s); err != nil {
		return err
	}
	if err := t.tx.Bucket(bucketVolumeSnapshots).Delete(pair(s.VolumeID, id)); err != nil {
		return fmt.Errorf("snapshot %d of volume %d: %w", id, s.VolumeID, err)
	}
	if err := t.dropRef(s.Layer, layerRef{refSnapshot, id}); err != nil {
		return err
	}
	return t.Snapshots().remove(id)
}

// Rollback makes a snapshot the content of its volume, in constant time. The
// volume keeps its size; what lies beyond the snapshot's reads as zeroes. What
// the volume had is given up, unless AddSnapshot kept it before.
func (t *Tx) Rollback(snapshot int64) error {
	s, err := t.Snapshots().Get(snapshot)
	if err != nil {
		return err
	}
	return t.CopyVolume(s.VolumeID, s.VolumeID, s.ID)
}

func pair(a, b int64) []byte { return append(key(a), key(b)...) }
