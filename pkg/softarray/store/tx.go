package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"

	"go.etcd.io/bbolt"
)

// Tx is one transaction; it must not be used after its function returned.
type Tx struct {
	tx    *bbolt.Tx
	store *Store
	undo  []func() error // when the transaction is given up
	done  []func() error // when it is committed

	made   []file         // of new layers, to be synced before the commit
	fresh  map[int64]bool // layers that are made here
	recast map[int64]bool // volumes that get another top layer
	moved  map[int64]bool // files that change their place in a chain
	frozen []int64        // layers that take no more writes
	tidy   []int64        // layers that may be superfluous now
}

// The buckets. Tables are keyed by the id as 8 bytes, big endian, so that a
// cursor walks them by id; a table's bucket sequence is its id counter.
var (
	bucketCluster    = []byte("cluster")
	bucketAccounts   = []byte("accounts")
	bucketVolumes    = []byte("volumes")
	bucketGroups     = []byte("groups")
	bucketInitiators = []byte("initiators")
	bucketPolicies   = []byte("policies")
	bucketCounters   = []byte("counters")
	bucketFaults     = []byte("faults")
	bucketJobs       = []byte("jobs")

	bucketSnapshots      = []byte("snapshots")
	bucketGroupSnapshots = []byte("group-snapshots")
	bucketLayers         = []byte("layers")

	bucketReservations = []byte("reservations") // volume -> persistent reservations, opaque

	// Indices.
	bucketAccountNames   = []byte("account-names")   // name -> id
	bucketInitiatorNames = []byte("initiator-names") // name -> id
	bucketVolumeNames    = []byte("volume-names")    // name NUL id -> nothing
	bucketDeleted        = []byte("deleted-volumes") // id -> nothing
	bucketAccountVolumes = []byte("account-volumes") // account, id -> nothing

	bucketVolumeSnapshots = []byte("volume-snapshots") // volume, id -> nothing
	bucketLayerRefs       = []byte("layer-refs")       // layer, kind, id -> nothing
)

func (t *Tx) createBuckets() error {
	for _, name := range [][]byte{
		bucketCluster, bucketAccounts, bucketVolumes, bucketGroups, bucketInitiators, bucketPolicies, bucketCounters,
		bucketFaults, bucketJobs,
		bucketSnapshots, bucketGroupSnapshots, bucketLayers, bucketLayerRefs,
		bucketReservations,
		bucketAccountNames, bucketInitiatorNames, bucketVolumeNames, bucketDeleted, bucketAccountVolumes, bucketVolumeSnapshots,
	} {
		if _, err := t.tx.CreateBucketIfNotExists(name); err != nil {
			return fmt.Errorf("bucket %s: %w", name, err)
		}
	}
	return nil
}

// Table is the records of one kind, by id.
type Table[T any] struct {
	bucket *bbolt.Bucket
	kind   string
}

func table[T any](t *Tx, bucket []byte, kind string) Table[T] {
	return Table[T]{bucket: t.tx.Bucket(bucket), kind: kind}
}

// Get returns the record, or ErrNotFound.
func (t Table[T]) Get(id int64) (T, error) {
	var v T
	data := t.bucket.Get(key(id))
	if data == nil {
		return v, fmt.Errorf("%s %d: %w", t.kind, id, ErrNotFound)
	}
	return t.decode(id, data)
}

// From walks the records with an id of at least start, in the order of ids.
// The table must not be changed meanwhile.
func (t Table[T]) From(start int64) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		c := t.bucket.Cursor()
		for k, data := c.Seek(key(max(start, 0))); k != nil; k, data = c.Next() {
			v, err := t.decode(idOf(k), data)
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// Len is the number of records.
func (t Table[T]) Len() int { return t.bucket.Stats().KeyN }

func (t Table[T]) decode(id int64, data []byte) (T, error) {
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("%s %d: %w: %w", t.kind, id, ErrDamaged, err)
	}
	return v, nil
}

func (t Table[T]) put(id int64, v T) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s %d: %w", t.kind, id, err)
	}
	if err := t.bucket.Put(key(id), data); err != nil {
		return fmt.Errorf("%s %d: %w", t.kind, id, err)
	}
	return nil
}

// next is an id that no record of this kind ever had.
func (t Table[T]) next() (int64, error) {
	n, err := t.bucket.NextSequence()
	if err != nil {
		return 0, fmt.Errorf("next %s id: %w", t.kind, err)
	}
	return int64(n), nil
}

func (t Table[T]) remove(id int64) error {
	if err := t.bucket.Delete(key(id)); err != nil {
		return fmt.Errorf("remove %s %d: %w", t.kind, id, err)
	}
	return nil
}

func key(id int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(id)) }

func idOf(k []byte) int64 { return int64(binary.BigEndian.Uint64(k)) }
