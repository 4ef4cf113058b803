// Package store keeps what the software array must not forget: the metadata of
// accounts, volumes, snapshots, access groups, initiators and QoS policies in
// one bbolt database, and blocks in sparse files.
//
// # Layers
//
// A volume is a chain of layers, each a sparse file as long as the volume. A
// volume without snapshots has one, its base, and reads and writes go straight
// to it. A snapshot freezes the top layer and puts an empty one over it, in
// constant time; clones and rollback put an empty layer over a frozen one. A
// layer over another has a map of the blocks of 4 KiB that are present in it;
// what is absent is the parent's. A block may be present and a hole: unmapped
// here, whatever is beneath. The grain is 4 KiB because that is what initiators
// write: no write of whole blocks copies anything. A volume in use has an index
// that says which layer shows a block, made page by page of the maps, so that a
// read costs one look-up whatever the number of snapshots.
//
// The host's filesystem need not know of any of this: no reflinks are asked for.
//
// # What lasts
//
// A map tells of a block only when the block is durable: Sync syncs the blocks,
// then writes the map and syncs that. In between a power cut leaves the old
// block or the new one. So that a kill alone, which leaves the page cache, loses
// no acknowledged write, each map has a second copy of its pages, written before
// the acknowledgement and believed only while the kernel's boot id is the same.
//
// One API call is one transaction, so that a process killed at any instruction
// leaves all of a call or nothing of it. A layer's files are durable before the
// record is committed and removed after the record is gone; what a crash leaves
// between the two is swept when the store is opened.
//
// # What goes away
//
// A layer that nothing shows is removed at once. One that only a single layer
// shows is merged with it in the background: the upper one's blocks move down,
// where it masks them, and it takes the lower one's files and place. If the
// upper one takes a volume's writes, these go down too from then on, so that
// it ends. At no point is anything seen of it, and a crash only has it begin
// again. Until then the space of masked blocks stays taken, and a merge takes, at
// most, that of the upper layer once more. A frozen layer that several layers
// show keeps also the blocks that all of them mask, until all but one are gone.
package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

var (
	// ErrNotFound: no record of that id or name.
	ErrNotFound = errors.New("not found")
	// ErrInUse: another process has the data directory open.
	ErrInUse = errors.New("data directory is in use by another process")
	// ErrDamaged: the metadata and the volumes' files contradict each other.
	ErrDamaged = errors.New("data directory is damaged")
)

// metadataName, in the data directory, is the database.
const metadataName = "metadata.db"

// lockWait is how long Open waits for the data directory's lock: long enough
// for a predecessor that is exiting, short enough to be told at once.
const lockWait = 500 * time.Millisecond

// layersDir, in the data directory, has the layers' files.
const layersDir = "layers"

// Store is an open data directory. Its methods may be called from several
// goroutines. Transactions must not be nested, nor a disk opened or closed
// inside one.
type Store struct {
	db     *bbolt.DB
	dir    string
	media  media
	room   *room
	keeper *keeper
	closed atomic.Bool

	mu   sync.Mutex
	open map[int64]*layer  // by number
	used map[int64]*blocks // by volume
}

// Open opens the data directory, making it if it is not there, and holds its
// lock until Close. now is the creation time of a new cluster. It returns
// ErrInUse where another process has it open and ErrDamaged where a volume's
// file is missing or too short.
func Open(dir string, now time.Time) (*Store, error) {
	m, err := openHostDir(filepath.Join(dir, layersDir))
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	return openOn(dir, m, now, bbolt.Options{})
}

// openOn opens a data directory whose layers are on m.
func openOn(dir string, m media, now time.Time, o bbolt.Options) (*Store, error) {
	o.Timeout = lockWait
	db, err := bbolt.Open(filepath.Join(dir, metadataName), 0o600, &o)
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("open %s: %w", dir, ErrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("open metadata of %s: %w", dir, err)
	}
	s := &Store{db: db, dir: dir, media: m, room: newRoom(), open: map[int64]*layer{}, used: map[int64]*blocks{}}
	s.keeper = newKeeper(s)
	if err := s.prepare(now); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.keeper.start()
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
	return errors.Join(s.removeOld(), s.sweep())
}

// Close ends the store; a second call does nothing. The disks must be closed
// before.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.keeper.stop()
	return errors.Join(s.Update((*Tx).markClean), s.db.Close())
}

// Dir is the data directory.
func (s *Store) Dir() string { return s.dir }

// View runs fn on a consistent snapshot.
func (s *Store) View(fn func(*Tx) error) error {
	return s.db.View(func(b *bbolt.Tx) error { return fn(newTx(b, s)) })
}
