package store

import (
	"errors"
)

// use is a volume's blocks, opened where it is not in use yet. No transaction
// may be open in the same goroutine.
func (s *Store) use(volume int64) (*blocks, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.used[volume]; ok {
		b.disks++
		return b, nil
	}
	var v view
	err := s.View(func(t *Tx) error {
		var err error
		v, err = s.acquire(t, volume)
		return err
	})
	if err != nil {
		return nil, err
	}
	b := &blocks{volume: volume, disks: 1}
	b.chain.Store(newChain(v))
	s.used[volume] = b
	return b, nil
}

func (s *Store) unuse(b *blocks) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.disks--; b.disks > 0 {
		return nil
	}
	delete(s.used, b.volume)
	return s.release(b.chain.Load().layers)
}

// acquire opens the layers that a volume shows. s.mu is held.
func (s *Store) acquire(t *Tx, volume int64) (view, error) {
	infos, err := t.chainOf(volume)
	if err != nil {
		return view{}, err
	}
	layers, err := s.acquireAll(infos)
	return view{layers: layers, visible: visible(infos)}, err
}

// acquireAll opens all of the layers or none.
func (s *Store) acquireAll(infos []layerInfo) ([]*layer, error) {
	var layers []*layer
	for _, info := range infos {
		l, err := s.acquireLayer(info)
		if err != nil {
			return nil, errors.Join(err, s.release(layers))
		}
		layers = append(layers, l)
	}
	return layers, nil
}

// openLayers opens a layer and those beneath it, base first; none where it is
// gone.
func (s *Store) openLayers(id int64) ([]*layer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var infos []layerInfo
	err := s.View(func(t *Tx) error {
		if _, err := t.layers().Get(id); errors.Is(err, ErrNotFound) {
			return nil
		}
		var err error
		infos, err = t.ancestors(id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.acquireAll(infos)
}

func (s *Store) closeLayers(layers []*layer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.release(layers)
}

func (s *Store) acquireLayer(info layerInfo) (*layer, error) {
	l, ok := s.open[info.File]
	if !ok {
		var err error
		if l, err = openLayer(s.media, info.File, info.mapped()); err != nil {
			return nil, err
		}
		s.open[info.File] = l
		s.room.opened(info.File, l.file)
	}
	l.users++
	return l, nil
}

// release ends a use of layers. s.mu is held.
func (s *Store) release(layers []*layer) error {
	var errs []error
	for _, l := range layers {
		if l.users--; l.users == 0 {
			delete(s.open, l.number)
			s.room.closing(l.number)
			errs = append(errs, l.close())
		}
	}
	return errors.Join(errs...)
}
