package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// errSuperseded: the layers changed while they were merged; they are looked at
// again.
var errSuperseded = errors.New("the layers have changed")

// tidyLayer takes a layer away that is superfluous: one that has nothing, or
// one that nothing shows but a single layer above it, with which it is merged.
func (s *Store) tidyLayer(ctx context.Context, id int64) error {
	var l layerInfo
	var refs []layerRef
	err := s.View(func(t *Tx) error {
		var err error
		l, err = t.layers().Get(id)
		refs = t.refs(id, 2)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return nil // gone
	}
	if err != nil || slices.ContainsFunc(refs, func(r layerRef) bool { return r.kind == refVolume }) {
		return err
	}
	spliced, err := s.splice(l)
	if err == nil && !spliced && len(refs) == 1 && refs[0].kind == refLayer {
		err = s.merge(ctx, l.ID, refs[0].id)
	}
	if errors.Is(err, errSuperseded) {
		s.keeper.look(id)
		return nil
	}
	return err
}

// merge moves the blocks of a layer to the one beneath, which nothing else
// shows, and lets that one take its place. Beneath, every block that the layer
// above masks may be anything meanwhile; so whenever it ends, by a kill or a
// power cut too, the volumes show what they showed.
func (s *Store) merge(ctx context.Context, lower, upper int64) error {
	if err := s.matchSizes(lower, upper); err != nil {
		return err
	}
	pair, err := s.openPair(lower, upper)
	if err != nil {
		return err
	}
	if pair.top != 0 {
		err = s.drainTop(ctx, pair)
	} else if err = pair.copyDown(ctx); err == nil {
		err = s.replaceLower(pair)
	}
	return errors.Join(err, s.closePair(pair))
}

// layerPair is two layers that are merged, open.
type layerPair struct {
	lower, upper           layerInfo
	lowerFiles, upperFiles *layer
	top                    int64 // the volume that writes to the upper one, 0 = it is frozen
	beneath                []layerInfo
	beneathFiles           []*layer
}

// openPair opens two layers, if the lower one is still the upper one's alone.
// All that is beneath is made durable.
func (s *Store) openPair(lower, upper int64) (*layerPair, error) {
	p := &layerPair{}
	if err := s.acquirePair(p, lower, upper); err != nil {
		return nil, err
	}
	if err := syncAll(p.beneathFiles); err != nil {
		return nil, errors.Join(err, s.closePair(p))
	}
	return p, nil
}

func (s *Store) acquirePair(p *layerPair, lower, upper int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.View(func(t *Tx) error { return t.readPair(p, lower, upper) })
	if err != nil {
		return err
	}
	v, err := s.acquireAll(append(p.beneath, p.lower, p.upper))
	if err != nil {
		return err
	}
	n := len(v)
	p.beneathFiles, p.lowerFiles, p.upperFiles = v[:n-2], v[n-2], v[n-1]
	return nil
}

func (s *Store) closePair(p *layerPair) error {
	return s.closeLayers(append(p.beneathFiles, p.lowerFiles, p.upperFiles))
}

// readPair is errSuperseded where the two are not to be merged, any more.
func (t *Tx) readPair(p *layerPair, lower, upper int64) error {
	var err error
	if p.lower, err = t.layers().Get(lower); err != nil {
		return superseded(err)
	}
	if p.upper, err = t.layers().Get(upper); err != nil {
		return superseded(err)
	}
	if refs := t.refs(lower, 2); len(refs) != 1 || refs[0] != (layerRef{refLayer, upper}) {
		return errSuperseded
	}
	p.top = 0
	if refs := t.refs(upper, 2); len(refs) == 1 && refs[0].kind == refVolume {
		p.top = refs[0].id // a top has no other use
	}
	p.beneath, err = t.ancestors(p.lower.Parent)
	return err
}

func superseded(err error) error {
	if errors.Is(err, ErrNotFound) {
		return errSuperseded
	}
	return err
}

// matchSizes gives the lower layer the upper one's size, all of which shows
// then. What was beyond the overlap, where no one saw it, is freed before.
func (s *Store) matchSizes(lower, upper int64) error {
	if err := s.clearHidden(lower, upper); err != nil {
		return fmt.Errorf("free what layer %d hides of layer %d: %w", upper, lower, err)
	}
	longer := false
	err := s.Update(func(t *Tx) error {
		p := &layerPair{}
		if err := t.readPair(p, lower, upper); err != nil {
			return err
		}
		longer = p.lower.Size > p.upper.Size
		return t.matchSizes(p)
	})
	if err != nil || !longer {
		return err
	}
	return s.Update(func(t *Tx) error { // in which nothing grows meanwhile
		l, err := t.layers().Get(lower)
		if err != nil {
			return superseded(err)
		}
		return s.truncate(l.File, l.Size)
	})
}

func (t *Tx) matchSizes(p *layerPair) error {
	size := p.upper.Size
	if p.lower.Size < size {
		if err := t.growLayer(p.lower, size); err != nil {
			return err
		}
	}
	p.lower.Size, p.lower.Overlap = size, min(p.lower.Overlap, p.upper.Overlap)
	p.upper.Overlap = size
	return errors.Join(t.layers().put(p.lower.ID, p.lower), t.layers().put(p.upper.ID, p.upper))
}

func (s *Store) clearHidden(lower, upper int64) error {
	p, err := s.openPair(lower, upper)
	if err != nil {
		return err
	}
	from, to := p.upper.Overlap, p.lower.Size
	if from < to {
		err = p.lowerFiles.erase(from, to-from)
	}
	return errors.Join(err, s.closePair(p))
}

// erase frees a range that nothing shows, durably.
func (l *layer) erase(off, n int64) error {
	if err := l.file.punch(off, n); err != nil {
		return err
	}
	if l.presence != nil {
		if err := l.presence.set(off/blockSize, n/blockSize, false); err != nil {
			return err
		}
	}
	return l.sync()
}

func (s *Store) replaceLower(p *layerPair) error {
	return s.Update(func(t *Tx) error { return t.replaceLower(p) })
}

// replaceLower gives the upper layer the files of the lower one, and its place.
func (t *Tx) replaceLower(p *layerPair) error {
	now := &layerPair{}
	if err := t.readPair(now, p.lower.ID, p.upper.ID); err != nil {
		return err
	}
	if now.top != p.top || now.upper.File != p.upper.File || now.lower.Size != now.upper.Size {
		return errSuperseded
	}
	if err := t.deleteRef(now.lower.ID, layerRef{refLayer, now.upper.ID}); err != nil {
		return err
	}
	if parent := now.lower.Parent; parent != 0 {
		if err := errors.Join(
			t.deleteRef(parent, layerRef{refLayer, now.lower.ID}),
			t.addRef(parent, layerRef{refLayer, now.upper.ID})); err != nil {
			return err
		}
	}
	if err := t.layers().remove(now.lower.ID); err != nil {
		return err
	}
	merged := now.lower
	merged.ID = now.upper.ID
	t.moved[now.upper.File], t.moved[now.lower.File] = true, true
	t.done = append(t.done, func() error {
		t.store.room.freeze(merged.File, now.top == 0)
		return t.store.removeFiles(now.upper.File)
	})
	t.tidy = append(t.tidy, merged.ID, merged.Parent)
	return t.layers().put(merged.ID, merged)
}
