package store

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/san-csi/san-csi/pkg/qos"
)

// Cluster is the array's own record. UniqueID and UUID are fixed for its life.
type Cluster struct {
	UniqueID   string // 4 characters of a-z0-9
	UUID       string
	NodeUUID   string
	Created    time.Time
	DefaultQoS qos.Values
}

// factoryQoS is what a new cluster gives volumes that name no value.
var factoryQoS = qos.Values{Min: 50, Max: 15000, Burst: 15000}

var clusterKey = []byte("cluster")

func (t *Tx) init(now time.Time) error {
	found, err := t.readFormat()
	if err != nil {
		return err
	}
	if err := t.createBuckets(); err != nil {
		return err
	}
	if err := errors.Join(t.writeFormat(), t.markOpen()); err != nil {
		return err
	}
	switch found {
	case 0:
		return t.makeCluster(now)
	case 1:
		return errors.Join(t.migrateLayers(), t.migrateOwners())
	case 2:
		return t.migrateOwners()
	}
	return nil
}

func (t *Tx) makeCluster(now time.Time) error {
	return t.PutCluster(Cluster{
		UniqueID:   newUniqueID(),
		UUID:       uuid.NewString(),
		NodeUUID:   uuid.NewString(),
		Created:    now.UTC().Truncate(time.Second),
		DefaultQoS: factoryQoS,
	})
}

// Cluster is the array's own record.
func (t *Tx) Cluster() (Cluster, error) {
	var c Cluster
	if err := json.Unmarshal(t.tx.Bucket(bucketCluster).Get(clusterKey), &c); err != nil {
		return c, fmt.Errorf("cluster record: %w: %w", ErrDamaged, err)
	}
	return c, nil
}

// PutCluster replaces the array's own record.
func (t *Tx) PutCluster(c Cluster) error {
	data, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("cluster record: %w", err)
	}
	return t.tx.Bucket(bucketCluster).Put(clusterKey, data)
}

// newUniqueID draws 4 characters of a-z and 2-7: 20 bits of randomness.
func newUniqueID() string {
	const upperToLower = 'a' - 'A'
	id := []byte(rand.Text()[:4]) // base 32: A-Z and 2-7
	for i, c := range id {
		if c >= 'A' {
			id[i] = c + upperToLower
		}
	}
	return string(id)
}
