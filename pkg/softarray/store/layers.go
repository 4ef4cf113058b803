package store

import (
	"bytes"
	"fmt"
	"math"
	"slices"
)

// layerInfo is the record of a layer. What it has not, it shows of its parent,
// up to the overlap.
type layerInfo struct {
	ID      int64
	File    int64 // the number of its files: its own id, or that of a layer that was merged into it
	Parent  int64 // 0 = none: it is a base, and has every block
	Overlap int64 // bytes of the parent that show
	Size    int64 // bytes
}

func (l layerInfo) mapped() bool { return l.Parent != 0 }

func (t *Tx) layers() Table[layerInfo] { return table[layerInfo](t, bucketLayers, "layer") }

// What a layer is kept for. The entries of bucketLayerRefs are the reference
// count: layer, kind, id.
const (
	refVolume   = 'v' // takes the volume's writes
	refSnapshot = 's'
	refLayer    = 'l' // is the parent of
)

type layerRef struct {
	kind byte
	id   int64
}

func refKey(layer int64, r layerRef) []byte {
	return append(append(key(layer), r.kind), key(r.id)...)
}

// refs are what a layer is kept for, at most limit of them.
func (t *Tx) refs(layer int64, limit int) []layerRef {
	var found []layerRef
	prefix := key(layer)
	c := t.tx.Bucket(bucketLayerRefs).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix) && len(found) < limit; k, _ = c.Next() {
		found = append(found, layerRef{k[8], idOf(k[9:])})
	}
	return found
}

func (t *Tx) addRef(layer int64, r layerRef) error {
	if err := t.tx.Bucket(bucketLayerRefs).Put(refKey(layer, r), nil); err != nil {
		return fmt.Errorf("use of layer %d: %w", layer, err)
	}
	return nil
}

func (t *Tx) deleteRef(layer int64, r layerRef) error {
	if err := t.tx.Bucket(bucketLayerRefs).Delete(refKey(layer, r)); err != nil {
		return fmt.Errorf("use of layer %d: %w", layer, err)
	}
	return nil
}

// dropRef ends a use of a layer. The last one takes the layer with it, and so
// on down; a layer that only its child shows is to be merged with it.
func (t *Tx) dropRef(layer int64, r layerRef) error {
	if err := t.deleteRef(layer, r); err != nil {
		return err
	}
	switch left := t.refs(layer, 2); {
	case len(left) == 0:
		return t.removeLayer(layer)
	case len(left) == 1 && left[0].kind == refLayer:
		t.tidy = append(t.tidy, layer)
	}
	return nil
}

func (t *Tx) removeLayer(id int64) error {
	l, err := t.layers().Get(id)
	if err != nil {
		return err
	}
	if err := t.layers().remove(id); err != nil {
		return err
	}
	t.done = append(t.done, func() error { return t.store.removeFiles(l.File) })
	delete(t.fresh, id)
	if l.Parent == 0 {
		return nil
	}
	return t.dropRef(l.Parent, layerRef{refLayer, id})
}

// addLayer makes an empty layer over parent, 0 = a base, with its files.
func (t *Tx) addLayer(parent, overlap, size int64) (layerInfo, error) {
	l := layerInfo{Parent: parent, Overlap: overlap, Size: size}
	if size%blockSize != 0 {
		return l, fmt.Errorf("size %d is not a multiple of %d", size, blockSize)
	}
	var err error
	if l.ID, err = t.layers().next(); err != nil {
		return l, err
	}
	l.File = l.ID
	t.undo = append(t.undo, func() error { return t.store.removeFiles(l.File) })
	if err := t.makeFiles(l); err != nil {
		return l, err
	}
	if parent != 0 {
		if err := t.addRef(parent, layerRef{refLayer, l.ID}); err != nil {
			return l, err
		}
	}
	t.fresh[l.ID] = true
	return l, t.layers().put(l.ID, l)
}

// makeFiles makes the files of a new layer; they are durable before the commit.
// Files that are there belong to a transaction that was never committed.
func (t *Tx) makeFiles(l layerInfo) error {
	f, err := t.make(blocksName(l.File))
	if err != nil {
		return err
	}
	if err := f.Truncate(l.Size); err != nil {
		return fmt.Errorf("create layer %d of %d bytes: %w", l.ID, l.Size, err)
	}
	if !l.mapped() {
		return nil
	}
	m, err := t.make(mapName(l.File))
	if err != nil {
		return err
	}
	if err := formatPresence(m, t.store.media.boot()); err != nil {
		return fmt.Errorf("create the map of layer %d: %w", l.ID, err)
	}
	return nil
}

func (t *Tx) make(name string) (file, error) {
	f, err := t.store.media.create(name)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	t.made = append(t.made, f)
	return f, nil
}

// freeze ends the writing of a volume's top layer and returns it; a new one
// takes the writes. A top that no write can have reached is given up instead.
func (t *Tx) freeze(v Volume) (layerInfo, error) {
	top, err := t.layers().Get(v.Layer)
	if err != nil {
		return top, err
	}
	if t.fresh[top.ID] && top.mapped() && top.Overlap == top.Size {
		return t.layers().Get(top.Parent)
	}
	if err := t.showLayer(v, top, v.Size); err != nil {
		return top, err
	}
	t.done = append(t.done, func() error { t.store.room.freeze(top.File, true); return nil })
	t.frozen = append(t.frozen, top.ID)
	t.tidy = append(t.tidy, top.ID)
	return top, nil
}

// showLayer makes a layer what a volume shows, up to the overlap.
func (t *Tx) showLayer(v Volume, of layerInfo, overlap int64) error {
	top, err := t.addLayer(of.ID, min(overlap, of.Size, v.Size), v.Size)
	if err != nil {
		return err
	}
	if err := t.addRef(top.ID, layerRef{refVolume, v.ID}); err != nil {
		return err
	}
	if err := t.dropRef(v.Layer, layerRef{refVolume, v.ID}); err != nil {
		return err
	}
	v.Layer = top.ID
	t.recast[v.ID] = true
	return t.Volumes().put(v.ID, v)
}

// growTop makes a volume's top layer longer. Where only the top shows the
// layer beneath, and all of it, that one grows too: it may be taking writes.
func (t *Tx) growTop(v Volume, size int64) error {
	top, err := t.layers().Get(v.Layer)
	if err != nil {
		return err
	}
	if err := t.mayGrowBeneath(top, size); err != nil {
		return err
	}
	if top, err = t.layers().Get(v.Layer); err != nil {
		return err
	}
	return t.growLayer(top, size)
}

func (t *Tx) mayGrowBeneath(top layerInfo, size int64) error {
	if !top.mapped() || top.Overlap != top.Size || len(t.refs(top.Parent, 2)) > 1 {
		return nil
	}
	beneath, err := t.layers().Get(top.Parent)
	if err != nil || beneath.Size != top.Size {
		return err
	}
	if err := t.growLayer(beneath, size); err != nil {
		return err
	}
	top.Overlap = size
	return t.layers().put(top.ID, top)
}

func (t *Tx) growLayer(l layerInfo, size int64) error {
	if err := t.store.truncate(l.File, size); err != nil {
		return err
	}
	old := l.Size
	t.undo = append(t.undo, func() error { return t.store.truncate(l.File, old) })
	l.Size = size
	return t.layers().put(l.ID, l)
}

// chainOf are the layers that a volume shows, base first.
func (t *Tx) chainOf(volume int64) ([]layerInfo, error) {
	v, err := t.Volumes().Get(volume)
	if err != nil {
		return nil, err
	}
	infos, err := t.ancestors(v.Layer)
	if err != nil {
		return nil, fmt.Errorf("volume %d: %w", volume, err)
	}
	return infos, nil
}

// ancestors are a layer and those beneath it, base first; of 0, none.
func (t *Tx) ancestors(id int64) ([]layerInfo, error) {
	var infos []layerInfo
	for id != 0 {
		l, err := t.layers().Get(id)
		if err != nil {
			return nil, fmt.Errorf("%w: %v", ErrDamaged, err) //nolint:errorlint // a layer that is missing is no volume that is not there
		}
		if infos, id = append(infos, l), l.Parent; len(infos) > maxLayers {
			return nil, fmt.Errorf("layer %d is on more than %d others", infos[0].ID, maxLayers)
		}
	}
	slices.Reverse(infos)
	return infos, nil
}

// visible is how much of each layer shows, base first. The top is as long as
// the volume, which may grow.
func visible(infos []layerInfo) []int64 {
	bytes := make([]int64, len(infos))
	shows := int64(math.MaxInt64)
	for i, l := range slices.Backward(infos) {
		bytes[i] = shows
		shows = min(shows, l.Overlap)
	}
	return bytes
}
