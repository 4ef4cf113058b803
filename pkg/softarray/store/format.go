package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// format is the version of the data directory's layout that this program
// writes. 1, which has no mark, kept each volume in a file volumes/<id>; 1 and 2
// kept the list of an account's volumes in its record.
const (
	format       = 3
	oldLayersDir = "volumes"
)

// ErrNewer: the data directory was written by a newer version of this program.
var ErrNewer = errors.New("data directory has a newer format")

var formatKey = []byte("format")

// readFormat is the version of the layout, 0 = a new directory.
func (t *Tx) readFormat() (int, error) {
	b := t.tx.Bucket(bucketCluster)
	if b == nil || b.Get(clusterKey) == nil {
		return 0, nil
	}
	raw := b.Get(formatKey)
	if raw == nil {
		return 1, nil
	}
	n, err := strconv.Atoi(string(raw))
	if err != nil {
		return 0, fmt.Errorf("format of the data directory: %w: %w", ErrDamaged, err)
	}
	if n > format {
		return 0, fmt.Errorf("format %d, this program knows up to %d: %w", n, format, ErrNewer)
	}
	return n, nil
}

func (t *Tx) writeFormat() error {
	return t.tx.Bucket(bucketCluster).Put(formatKey, []byte(strconv.Itoa(format)))
}

// migrateLayers makes a base layer of each volume's file of format 1. Its files move
// before the commit: one that has moved is found at its new place next time.
func (t *Tx) migrateLayers() error {
	for v, err := range t.Volumes().From(0) {
		if err != nil {
			return err
		}
		if err := t.moveVolume(v); err != nil {
			return err
		}
	}
	if err := t.layers().bucket.SetSequence(t.Volumes().bucket.Sequence()); err != nil {
		return fmt.Errorf("numbers of layers: %w", err)
	}
	return t.store.media.sync()
}

// migrateOwners enters the volumes for their accounts. A record that is written
// again loses the list.
func (t *Tx) migrateOwners() error {
	owner := map[int64]int64{}
	for v, err := range t.Volumes().From(0) {
		if err != nil {
			return err
		}
		owner[v.ID] = v.AccountID
	}
	for id, account := range owner {
		if err := t.setOwner(id, 0, account); err != nil {
			return err
		}
	}
	return nil
}

// removeOld removes what format 1 left: files of volumes that were never
// committed, and the directory, unless something else is in it.
func (s *Store) removeOld() error {
	dir := filepath.Join(s.dir, oldLayersDir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("volumes of format 1: %w", err)
	}
	left := len(entries)
	for _, e := range entries {
		if _, isMap, ours := layerOf(e.Name()); ours && !isMap {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
			left--
		}
	}
	if err != nil || left > 0 {
		return err
	}
	return os.Remove(dir)
}

func (t *Tx) moveVolume(v Volume) error {
	from := filepath.Join(t.store.dir, oldLayersDir, strconv.FormatInt(v.ID, 10))
	to := filepath.Join(t.store.dir, layersDir, blocksName(v.ID))
	if err := os.Rename(from, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("move volume %d: %w", v.ID, err)
	}
	l := layerInfo{ID: v.ID, File: v.ID, Size: v.Size}
	if err := t.layers().put(l.ID, l); err != nil {
		return err
	}
	v.Layer = l.ID
	if err := t.Volumes().put(v.ID, v); err != nil {
		return err
	}
	return t.addRef(l.ID, layerRef{refVolume, v.ID})
}

// cleanKey is there while the directory is closed and was closed in order.
var cleanKey = []byte("clean")

func (t *Tx) markClean() error {
	return t.tx.Bucket(bucketCluster).Put(cleanKey, []byte{1})
}

func (t *Tx) markOpen() error { return t.tx.Bucket(bucketCluster).Delete(cleanKey) }
