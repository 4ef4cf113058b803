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
	"slices"

	"github.com/san-csi/san-csi/pkg/initiator"
)

// record is what the node has done, or is about to do, for one volume.
type record struct {
	VolumeID    string   `json:"volumeID"`
	StagingPath string   `json:"stagingPath"`
	Target      Target   `json:"target"`
	Epoch       int64    `json:"epoch"`
	Block       bool     `json:"block,omitempty"`
	FSType      string   `json:"fsType,omitempty"`
	MountFlags  []string `json:"mountFlags,omitempty"`
	ReadOnly    bool     `json:"readOnly,omitempty"`
	// Formatting: an mkfs of this device began under this epoch and did not
	// end. Nothing was mounted from it since.
	Formatting bool `json:"formatting,omitempty"`
	// Published are the target paths, each before its mount is made.
	Published map[string]publication `json:"published,omitempty"`
}

type publication struct {
	ReadOnly   bool     `json:"readOnly,omitempty"`
	MountFlags []string `json:"mountFlags,omitempty"`
}

func (p publication) same(o publication) bool {
	return p.ReadOnly == o.ReadOnly && slices.Equal(p.MountFlags, o.MountFlags)
}

func newRecord(r StageRequest) *record {
	return &record{
		VolumeID:    r.VolumeID,
		StagingPath: r.StagingPath,
		Target:      r.Target,
		Epoch:       r.Epoch,
		Block:       r.Block,
		FSType:      r.FSType,
		MountFlags:  r.MountFlags,
		ReadOnly:    r.ReadOnly,
		Published:   map[string]publication{},
	}
}

// differs names the first attribute in which the request is another stage than
// the recorded one, "" where none is. Portals and size may change under it.
func (r *record) differs(q StageRequest) string {
	switch {
	case r.StagingPath != q.StagingPath:
		return fmt.Sprintf("staging path %s, asked for %s", r.StagingPath, q.StagingPath)
	case r.Target.IQN != q.Target.IQN || r.Target.LUN != q.Target.LUN:
		return fmt.Sprintf("target %s lun %d, asked for %s lun %d", r.Target.IQN, r.Target.LUN, q.Target.IQN, q.Target.LUN)
	case r.Target.NAA != q.Target.NAA:
		return fmt.Sprintf("naa %s, asked for %s", r.Target.NAA, q.Target.NAA)
	case r.Block != q.Block:
		return fmt.Sprintf("block %t, asked for %t", r.Block, q.Block)
	case r.FSType != q.FSType:
		return fmt.Sprintf("filesystem %s, asked for %s", r.FSType, q.FSType)
	case r.ReadOnly != q.ReadOnly:
		return fmt.Sprintf("read-only %t, asked for %t", r.ReadOnly, q.ReadOnly)
	case !slices.Equal(r.MountFlags, q.MountFlags):
		return fmt.Sprintf("mount flags %v, asked for %v", r.MountFlags, q.MountFlags)
	}
	return ""
}

// target is the LUN as the initiator takes it.
func (r *record) target() initiator.Target {
	t := r.Target.initiator()
	t.ReadOnly = r.ReadOnly
	return t
}

func (t Target) initiator() initiator.Target {
	return initiator.Target{IQN: t.IQN, Portals: t.Portals, LUN: t.LUN, NAA: t.NAA, SizeBytes: t.SizeBytes, Credentials: t.Credentials}
}

// store keeps the records. What save returned nil for survives a power cut.
type store interface {
	load(volumeID string) (*record, error) // nil where there is none
	save(r *record) error
	remove(volumeID string) error
}

const (
	recordsMode = 0o700
	recordMode  = 0o600
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
	return filepath.Join(s.dir, hex.EncodeToString(sum[:])+".json")
}

func (s *records) load(volumeID string) (*record, error) {
	data, err := os.ReadFile(s.path(volumeID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("stage record: %w", err)
	}
	r := &record{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("stage record %s: damaged, move it away to have the node look at its devices instead: %w", s.path(volumeID), err)
	}
	if r.VolumeID != volumeID {
		return nil, fmt.Errorf("stage record %s: of volume %q, not %q: move it away: %w", s.path(volumeID), r.VolumeID, volumeID, ErrInvalid)
	}
	if r.Published == nil {
		r.Published = map[string]publication{}
	}
	return r, nil
}

// save replaces the file as a whole: after a crash it is the old or the new one.
func (s *records) save(r *record) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("stage record: %w", err)
	}
	path := s.path(r.VolumeID)
	// One call per volume at a time: a file left by a killed one is overwritten.
	if err := writeSynced(path+".new", data); err != nil {
		return fmt.Errorf("stage record: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("stage record: %w", err)
	}
	return s.sync()
}

func (s *records) remove(volumeID string) error {
	for _, path := range []string{s.path(volumeID) + ".new", s.path(volumeID)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("stage record: %w", err)
		}
	}
	return s.sync()
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
