package store

import (
	"errors"
	"math"
)

// splice takes a frozen layer away that has nothing: all that show it show its
// parent instead. Clones and snapshots of a volume that is not written between
// them leave no layers that way.
func (s *Store) splice(l layerInfo) (done bool, err error) {
	if !l.mapped() {
		return false, nil
	}
	if empty, err := s.isEmpty(l); err != nil || !empty {
		return false, err
	}
	err = s.Update(func(t *Tx) error {
		done, err = t.spliceOut(l.ID)
		return err
	})
	return done && err == nil, err
}

func (s *Store) isEmpty(l layerInfo) (bool, error) {
	layers, err := s.openLayers(l.ID)
	if len(layers) == 0 {
		return false, err // or it is gone
	}
	empty := layers[len(layers)-1].presence.empty()
	if empty {
		// It may have drained into the one beneath, and that not be durable yet.
		err = syncAll(layers)
	}
	return empty, errors.Join(err, s.closeLayers(layers))
}

// spliceOut reports whether it could be done.
func (t *Tx) spliceOut(id int64) (bool, error) {
	l, err := t.layers().Get(id)
	if err != nil {
		return false, superseded(err)
	}
	parent, err := t.layers().Get(l.Parent)
	if err != nil {
		return false, err
	}
	if l.Overlap < parent.Size {
		return false, nil // it hides the parent's end
	}
	for _, r := range t.refs(id, math.MaxInt) {
		if err := t.moveRef(r, l, parent); err != nil {
			return false, err
		}
	}
	t.moved[l.File] = true
	t.tidy = append(t.tidy, parent.ID)
	return true, t.removeLayer(id)
}

// moveRef has what shows a layer show its parent.
func (t *Tx) moveRef(r layerRef, from, to layerInfo) error {
	if err := errors.Join(t.deleteRef(from.ID, r), t.addRef(to.ID, r)); err != nil {
		return err
	}
	switch r.kind {
	case refSnapshot:
		s, err := t.Snapshots().Get(r.id)
		if err != nil {
			return err
		}
		s.Layer = to.ID
		return t.Snapshots().put(s.ID, s)
	case refLayer:
		child, err := t.layers().Get(r.id)
		if err != nil {
			return err
		}
		child.Parent, child.Overlap = to.ID, min(child.Overlap, from.Overlap)
		return t.layers().put(child.ID, child)
	}
	return errSuperseded // a volume writes to it
}
