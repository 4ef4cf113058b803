package store

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"k8s.io/klog/v2"
)

// removeFiles removes a layer's files.
func (s *Store) removeFiles(number int64) error {
	s.room.removed(number)
	if err := errors.Join(s.media.remove(blocksName(number)), s.media.remove(mapName(number))); err != nil {
		return fmt.Errorf("remove layer %d: %w", number, err)
	}
	return nil
}

// truncate sets the length of a layer's blocks, durably.
func (s *Store) truncate(number, size int64) error {
	f, err := s.media.open(blocksName(number))
	if err != nil {
		return fmt.Errorf("resize layer %d: %w", number, err)
	}
	if err := errors.Join(f.Truncate(size), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("resize layer %d to %d bytes: %w", number, size, err)
	}
	return nil
}

// sweep makes files and records agree after a crash: a file that no layer has
// is removed, one that is longer than its layer is cut (the growth was never
// committed); a layer whose file is missing or too short is damage that nothing
// here can mend. It finds the layers that are superfluous, too.
func (s *Store) sweep() error {
	known := map[int64]layerInfo{} // by file
	err := s.View(func(t *Tx) error {
		for l, err := range t.layers().From(0) {
			if err != nil {
				return err
			}
			known[l.File] = l
			if refs := t.refs(l.ID, 2); len(refs) == 1 && refs[0].kind == refLayer {
				s.keeper.look(l.ID)
			} else if len(refs) == 1 && refs[0].kind == refVolume {
				continue
			}
			s.room.freeze(l.File, true)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.removeOrphans(known); err != nil {
		return err
	}
	var damage []error
	for _, l := range known {
		damage = append(damage, s.checkFile(l))
	}
	return errors.Join(damage...)
}

// layerOf reads the number of a layer's file, and whether it is the map.
func layerOf(name string) (number int64, isMap, ok bool) {
	digits, isMap := strings.CutSuffix(name, ".map")
	number, err := strconv.ParseInt(digits, 10, 64)
	return number, isMap, err == nil && number > 0
}

func (s *Store) removeOrphans(known map[int64]layerInfo) error {
	names, err := s.media.names()
	if err != nil {
		return fmt.Errorf("layers of %s: %w", s.dir, err)
	}
	for _, name := range names {
		number, isMap, ok := layerOf(name)
		if !ok {
			continue // not ours to touch
		}
		if l, ok := known[number]; ok && (l.mapped() || !isMap) {
			continue
		}
		klog.InfoS("Removing a file of a layer that was never committed or is gone", "name", name)
		if err := s.media.remove(name); err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	return nil
}

func (s *Store) checkFile(l layerInfo) error {
	size, allocated, err := statFile(s.media, blocksName(l.File))
	if err != nil {
		return fmt.Errorf("layer %d of %d bytes: %w: %w", l.ID, l.Size, ErrDamaged, err)
	}
	s.room.found(l.File, allocated)
	if size < l.Size {
		return fmt.Errorf("layer %d of %d bytes: its file has %d: %w", l.ID, l.Size, size, ErrDamaged)
	}
	if l.mapped() {
		length, _, err := statFile(s.media, mapName(l.File))
		if err != nil {
			return fmt.Errorf("the map of layer %d: %w: %w", l.ID, ErrDamaged, err)
		}
		if length <= mapPage { // it may have nothing
			s.keeper.look(l.ID)
		}
	}
	if size > l.Size {
		return s.truncate(l.File, l.Size)
	}
	return nil
}

func statFile(m media, name string) (size, allocated int64, err error) {
	f, err := m.open(name)
	if err != nil {
		return 0, 0, err
	}
	size, allocated, err = f.stat()
	return size, allocated, errors.Join(err, f.Close())
}
