// Package store keeps what the software array must not forget: the metadata of
// accounts, volumes, access groups, initiators and QoS policies in one bbolt
// database, and each volume's blocks in a sparse file of its own.
//
// One API call is one transaction, so that a process killed at any instruction
// leaves all of a call or nothing of it. A volume's file is made before its
// record is committed and removed after the record is gone; what a crash leaves
// between the two is swept when the store is opened.
package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"k8s.io/klog/v2"
)

var (
	// ErrNotFound: no record of that id or name.
	ErrNotFound = errors.New("not found")
	// ErrInUse: another process has the data directory open.
	ErrInUse = errors.New("data directory is in use by another process")
	// ErrDamaged: the metadata and the volumes' files contradict each other.
	ErrDamaged = errors.New("data directory is damaged")
)

// lockWait is how long Open waits for the data directory's lock: long enough
// for a predecessor that is exiting, short enough to be told at once.
const lockWait = 500 * time.Millisecond

// Store is an open data directory. Its methods may be called from several goroutines.
type Store struct {
	db  *bbolt.DB
	dir string
}

// Open opens the data directory, making it if it is not there, and holds its
// lock until Close. now is the creation time of a new cluster. It returns
// ErrInUse where another process has it open and ErrDamaged where a volume's
// file is missing or too short.
func Open(dir string, now time.Time) (*Store, error) {
	if err := os.MkdirAll(filepath.Join(dir, volumesDir), 0o700); err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	db, err := bbolt.Open(filepath.Join(dir, "metadata.db"), 0o600, &bbolt.Options{Timeout: lockWait})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("open %s: %w", dir, ErrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("open metadata of %s: %w", dir, err)
	}
	s := &Store{db: db, dir: dir}
	if err := s.prepare(now); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// prepare makes what a new directory lacks and removes what a crash left.
func (s *Store) prepare(now time.Time) error {
	if err := syncDir(s.dir); err != nil {
		return err
	}
	if err := s.Update(func(t *Tx) error { return t.init(now) }); err != nil {
		return fmt.Errorf("prepare %s: %w", s.dir, err)
	}
	return s.sweepFiles()
}

// Close ends the store; disks that are open stay usable until they are closed.
func (s *Store) Close() error { return s.db.Close() }

// Dir is the data directory.
func (s *Store) Dir() string { return s.dir }

// View runs fn on a consistent snapshot.
func (s *Store) View(fn func(*Tx) error) error {
	return s.db.View(func(b *bbolt.Tx) error { return fn(&Tx{tx: b, store: s}) })
}

// Update runs fn and commits what it did, durably, if it returns nil;
// otherwise nothing of it stays.
func (s *Store) Update(fn func(*Tx) error) error {
	var t *Tx
	err := s.db.Update(func(b *bbolt.Tx) error {
		t = &Tx{tx: b, store: s}
		err := fn(t)
		if err != nil {
			// Inside the transaction's lock: the next one may take the same id.
			slices.Reverse(t.undo)
			run(t.undo)
		}
		return err
	})
	if err == nil {
		run(t.done)
	}
	return err
}

// run does file operations whose failure costs space only: the next Open repeats them.
func run(steps []func() error) {
	for _, step := range steps {
		if err := step(); err != nil {
			klog.ErrorS(err, "Tidying a volume's file failed; it is repeated at the next start")
		}
	}
}
