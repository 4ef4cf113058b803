package store

import "fmt"

// content is what a volume or a snapshot shows: a layer that is written no
// more, up to a size in bytes.
type content struct {
	layer layerInfo
	size  int64
}

// AddClone stores a new volume whose content is that of another volume, or,
// where snapshot is not 0, of that volume's snapshot; in constant time, with
// the blocks shared. v.Size is the clone's own: what lies beyond the source's
// reads as zeroes.
func (t *Tx) AddClone(v Volume, volume, snapshot int64) (Volume, error) {
	of, err := t.source(volume, snapshot)
	if err != nil {
		return v, err
	}
	return t.addVolume(v, of.layer, of.size)
}

// CopyVolume makes the content of another volume, or of that volume's snapshot,
// the content of the volume to; in constant time, with the blocks shared. The
// volume keeps its size and its snapshots.
func (t *Tx) CopyVolume(to, volume, snapshot int64) error {
	of, err := t.source(volume, snapshot)
	if err != nil {
		return err
	}
	v, err := t.Volumes().Get(to)
	if err != nil {
		return err
	}
	return t.showLayer(v, of.layer, of.size)
}

// source is the content of a volume's snapshot, ErrNotFound where it is not one
// of this volume; 0 = the volume's present content, which is frozen.
func (t *Tx) source(volume, snapshot int64) (content, error) {
	v, err := t.Volumes().Get(volume)
	if err != nil {
		return content{}, err
	}
	if snapshot == 0 {
		of, err := t.freeze(v)
		return content{of, v.Size}, err
	}
	s, err := t.Snapshots().Get(snapshot)
	if err != nil {
		return content{}, err
	}
	if s.VolumeID != volume {
		return content{}, fmt.Errorf("snapshot %d is of volume %d, not %d: %w", s.ID, s.VolumeID, volume, ErrNotFound)
	}
	of, err := t.layers().Get(s.Layer)
	return content{of, s.Size}, err
}
