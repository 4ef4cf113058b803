package store

import (
	"bytes"
	"fmt"
)

// Reservations are a volume's persistent reservations as the data side encodes
// them, nil where there are none.
func (t *Tx) Reservations(volume int64) []byte {
	return bytes.Clone(t.tx.Bucket(bucketReservations).Get(key(volume)))
}

// PutReservations replaces them; nil removes them.
func (t *Tx) PutReservations(volume int64, state []byte) error {
	if _, err := t.Volumes().Get(volume); err != nil {
		return err
	}
	b := t.tx.Bucket(bucketReservations)
	if state == nil {
		return b.Delete(key(volume))
	}
	if err := b.Put(key(volume), state); err != nil {
		return fmt.Errorf("reservations of volume %d: %w", volume, err)
	}
	return nil
}
