package stage

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"k8s.io/klog/v2"
)

// store keeps the records. What save returned nil for survives a power cut.
type store interface {
	load(volumeID string) (*record, error) // nil where there is none
	save(r *record) error
	remove(volumeID string) error
	list() ([]*record, error) // those that can be read
}

const (
	recordsMode = 0o700
	recordMode  = 0o600
	extension   = ".json"
)

// records keeps one file per volume, named by a hash: a volume ID may hold
// what a file name may not.
type records struct{ dir string }

func openRecords(dir string) (*records, error) {
	if dir == "" {
		return nil, fmt.Errorf("stage options: records directory: empty: %w", ErrInvalid)
	}
	if err := os.MkdirAll(dir, recordsMode); err != nil {
		return nil, fmt.Errorf("stage records: %w", err)
	}
	return &records{dir: dir}, nil
}

func (s *records) path(volumeID string) string {
	sum := sha256.Sum256([]byte(volumeID))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:])+extension)
}

func (s *records) load(volumeID string) (*record, error) {
	path := s.path(volumeID)
	r, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if r.VolumeID != volumeID {
		return nil, fmt.Errorf("stage record %s: of volume %q, not %q: move it away: %w", path, r.VolumeID, volumeID, ErrInvalid)
	}
	return r, nil
}

func read(path string) (*record, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("stage record: %w", err)
	}
	r := &record{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("stage record %s: damaged, move it away to have the node look at its devices instead: %w", path, err)
	}
	if r.Published == nil {
		r.Published = map[string]publication{}
	}
	return r, nil
}

// save replaces the file as a whole: after a crash it is the old or the new one.
func (s *records) save(r *record) error {
	r.Touched = time.Now()
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("stage record: %w", err)
	}
	path := s.path(r.VolumeID)
	// One call per volume at a time: a file left by a killed one is overwritten.
	if err := writeSynced(path+".new", data); err != nil {
		return errors.Join(fmt.Errorf("stage record: %w", err), dropped(path+".new"))
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("stage record: %w", err)
	}
	return s.sync()
}

func (s *records) remove(volumeID string) error {
	for _, path := range []string{s.path(volumeID) + ".new", s.path(volumeID)} {
		if err := dropped(path); err != nil {
			return fmt.Errorf("stage record: %w", err)
		}
	}
	return s.sync()
}

func dropped(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// list gives all records. One that is damaged is told in the log each time, and
// left alone: what it is of is not known.
func (s *records) list() ([]*record, error) {
	paths, err := filepath.Glob(filepath.Join(s.dir, "*"+extension))
	if err != nil {
		return nil, fmt.Errorf("stage records: %w", err)
	}
	var all []*record
	for _, path := range paths {
		r, err := read(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			klog.ErrorS(err, "Stage record cannot be read: what it is of is left alone")
		default:
			all = append(all, r)
		}
	}
	return all, nil
}

// sync makes the directory's entries durable.
func (s *records) sync() error {
	dir, err := os.Open(s.dir)
	if err != nil {
		return fmt.Errorf("stage records: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func writeSynced(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, recordMode)
	if err != nil {
		return err
	}
	if _, err := file.Write(data); err != nil {
		return errors.Join(err, file.Close())
	}
	return errors.Join(file.Sync(), file.Close())
}
