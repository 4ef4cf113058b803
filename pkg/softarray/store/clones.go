package store

import "fmt"

// AddClone stores a new volume whose content is that of another volume, or,
// where snapshot is not 0, of that volume's snapshot; in constant time, with
// the blocks shared. v.Size is the clone's own: what lies beyond the source's
// reads as zeroes.
func (t *Tx) AddClone(v Volume, volume, snapshot int64) (Volume, error) {
	if _, err := t.source(volume, snapshot); err != nil {
		return v, err
	}
	return t.AddVolume(v)
}

// CopyVolume makes the content of another volume, or of that volume's snapshot,
// the content of the volume to; in constant time, with the blocks shared. The
// volume keeps its size and its snapshots.
func (t *Tx) CopyVolume(to, volume, snapshot int64) error {
	if _, err := t.Volumes().Get(to); err != nil {
		return err
	}
	_, err := t.source(volume, snapshot)
	return err
}

// source finds the snapshot of a volume, ErrNotFound where it is not one of
// this volume; 0 = the volume itself.
func (t *Tx) source(volume, snapshot int64) (Snapshot, error) {
	v, err := t.Volumes().Get(volume)
	if err != nil {
		return Snapshot{}, err
	}
	if snapshot == 0 {
		return Snapshot{VolumeID: volume, Size: v.Size}, nil
	}
	s, err := t.Snapshots().Get(snapshot)
	if err != nil {
		return s, err
	}
	if s.VolumeID != volume {
		return s, fmt.Errorf("snapshot %d is of volume %d, not %d: %w", s.ID, s.VolumeID, volume, ErrNotFound)
	}
	return s, nil
}
