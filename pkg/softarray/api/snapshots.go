package api

import (
	"cmp"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

func snapshotMethods() map[string]method {
	return map[string]method{
		"CreateSnapshot":     change(createSnapshot, "volumeID"),
		"ModifySnapshot":     change(modifySnapshot, "snapshotID"),
		"DeleteSnapshot":     change(deleteSnapshot, "snapshotID"),
		"RollbackToSnapshot": change(rollbackToSnapshot, "volumeID", "snapshotID"),
		"ListSnapshots":      query(listSnapshots),
	}
}

type snapshotParams struct {
	VolumeID   integer `json:"volumeID"`
	SnapshotID integer `json:"snapshotID"`
	Save       boolean `json:"saveCurrentState"`
	keepParams
}

func (c *call) snapshot(id int64) (store.Snapshot, error) {
	s, err := c.tx.Snapshots().Get(id)
	return s, missing(err, snapshotDoesNotExist, "SnapshotID %d does not exist.", id)
}

// snapshotOf is a snapshot that must be one of that volume.
func (c *call) snapshotOf(volume, id int64) (store.Snapshot, error) {
	s, err := c.snapshot(id)
	if err == nil && s.VolumeID != volume {
		return s, failf(snapshotDoesNotExist, "SnapshotID %d does not exist on VolumeID %d.", id, volume)
	}
	return s, err
}

// createSnapshot keeps a volume's content, or that of one of its snapshots.
func createSnapshot(c *call, p snapshotParams) (any, error) {
	s, err := c.keep(int64(p.VolumeID), int64(p.SnapshotID), p.keepParams)
	if err != nil {
		return nil, err
	}
	w, err := c.toWireSnapshot(s)
	return result{"snapshotID": s.ID, "checksum": checksum, "snapshot": w}, err
}

func (c *call) keep(volume, source int64, p keepParams) (store.Snapshot, error) {
	s, err := c.roomForSnapshot(volume, p)
	if err != nil {
		return s, err
	}
	if source == 0 {
		return c.tx.AddSnapshot(s)
	}
	if _, err := c.snapshotOf(volume, source); err != nil {
		return s, err
	}
	return c.tx.CopySnapshot(source, s)
}

// roomForSnapshot is the snapshot to be of a volume that may have one more.
func (c *call) roomForSnapshot(volume int64, p keepParams) (store.Snapshot, error) {
	v, err := c.usableVolume(volume)
	if err != nil {
		return store.Snapshot{}, err
	}
	if _, err := c.notFull(); err != nil {
		return store.Snapshot{}, err
	}
	s, err := c.newSnapshot(volume, p)
	if err != nil {
		return s, err
	}
	return s, c.makeRoom(v, s.FIFO)
}

func modifySnapshot(c *call, p snapshotParams) (any, error) {
	s, err := c.snapshot(int64(p.SnapshotID))
	if err != nil {
		return nil, err
	}
	if s, err = c.rekeep(s, p.keepParams); err != nil {
		return nil, err
	}
	w, err := c.toWireSnapshot(s)
	return result{"snapshot": w}, err
}

// rekeep changes how a snapshot is kept. It pushes out no other: one that
// becomes fifo, or is so no longer, needs a free place of its new kind.
func (c *call) rekeep(s store.Snapshot, p keepParams) (store.Snapshot, error) {
	was := s.FIFO
	if err := c.applyKeep(&s, p); err != nil {
		return s, err
	}
	if err := c.kindFits(s, was); err != nil {
		return s, err
	}
	return s, c.tx.PutSnapshot(s)
}

func (c *call) kindFits(s store.Snapshot, was bool) error {
	if s.FIFO == was {
		return nil
	}
	v, err := c.volume(s.VolumeID)
	if err != nil {
		return err
	}
	held, err := c.tx.SnapshotsOf(s.VolumeID)
	if err != nil {
		return err
	}
	fifos := int64(len(fifosOf(held)))
	if s.FIFO && fifos >= fifoSize(v) || !s.FIFO && int64(len(held))-fifos >= snapshotsPerVolumeMax-v.MinFIFOSize {
		return failf(maxSnapshotsPerVolume, "VolumeID %d has no place left for a snapshot of that kind: fifoSize %d, minFifoSize %d", v.ID, fifoSize(v), v.MinFIFOSize)
	}
	return nil
}

func deleteSnapshot(c *call, p snapshotParams) (any, error) {
	s, err := c.snapshot(int64(p.SnapshotID))
	if err != nil {
		return nil, err
	}
	return result{}, c.tx.RemoveSnapshot(s.ID)
}

// rollbackToSnapshot makes a snapshot the content of its volume; what the
// volume had is kept as a new snapshot where the client wants it. Sessions of
// the volume are ended: initiators log in again and learn by the unit attention
// that what they knew of the medium is void. What they had in their caches is
// theirs to drop; the documentation tells hosts to unmount before.
func rollbackToSnapshot(c *call, p snapshotParams) (any, error) {
	if _, err := c.usableVolume(int64(p.VolumeID)); err != nil {
		return nil, err
	}
	s, err := c.snapshotOf(int64(p.VolumeID), int64(p.SnapshotID))
	if err != nil {
		return nil, err
	}
	out := result{"checksum": checksum, "snapshotID": nil, "snapshot": nil}
	if p.Save.or(false) {
		saved, err := c.keep(s.VolumeID, 0, keepParams{Name: cmp.Or(p.Name, copyName(s.Name)), Attributes: p.Attributes})
		if err != nil {
			return nil, err
		}
		w, err := c.toWireSnapshot(saved)
		if err != nil {
			return nil, err
		}
		out["snapshotID"], out["snapshot"] = saved.ID, w
	}
	return out, c.rollback(s)
}

func (c *call) rollback(s store.Snapshot) error {
	c.dropSessions(s.VolumeID)
	return c.tx.Rollback(s.ID)
}

// copyName is what the state before a rollback is kept under.
func copyName(name string) string {
	const suffix = "-copy"
	return name[:min(len(name), snapshotMax-len(suffix))] + suffix
}

func listSnapshots(c *call, p snapshotParams) (any, error) {
	found, err := c.snapshotsAsked(int64(p.VolumeID), int64(p.SnapshotID))
	if err != nil {
		return nil, err
	}
	w, err := c.toWireSnapshots(found)
	return result{"snapshots": w}, err
}

// snapshotsAsked are the snapshots of a volume, one snapshot, or all: 0 = not asked for.
func (c *call) snapshotsAsked(volume, id int64) ([]store.Snapshot, error) {
	if volume != 0 {
		if _, err := c.volume(volume); err != nil {
			return nil, err
		}
	}
	switch {
	case id != 0 && volume != 0:
		s, err := c.snapshotOf(volume, id)
		return []store.Snapshot{s}, err
	case id != 0:
		s, err := c.snapshot(id)
		return []store.Snapshot{s}, err
	case volume != 0:
		return c.tx.SnapshotsOf(volume)
	}
	var all []store.Snapshot
	for s, err := range c.tx.Snapshots().From(0) {
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}
