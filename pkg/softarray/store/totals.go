package store

import (
	"encoding/json"
	"fmt"
)

// Totals are sums over all volumes, deleted ones included, kept with them so
// that a call needs no walk over all records.
type Totals struct {
	Volumes     int64
	Provisioned int64 // bytes
	MinIOPS     int64 // promised floors, IOPS of 4 KiB
}

var totalsKey = []byte("totals")

// Totals are the sums as of this transaction.
func (t *Tx) Totals() (Totals, error) {
	var sum Totals
	data := t.tx.Bucket(bucketCluster).Get(totalsKey)
	if data == nil {
		return sum, nil
	}
	if err := json.Unmarshal(data, &sum); err != nil {
		return sum, fmt.Errorf("totals: %w: %w", ErrDamaged, err)
	}
	return sum, nil
}

// count replaces one volume's share of the totals; a volume without an id has none.
func (t *Tx) count(old, now Volume) error {
	sum, err := t.Totals()
	if err != nil {
		return err
	}
	sum.add(old, -1)
	sum.add(now, 1)
	data, err := json.Marshal(sum)
	if err != nil {
		return fmt.Errorf("totals: %w", err)
	}
	return t.tx.Bucket(bucketCluster).Put(totalsKey, data)
}

func (s *Totals) add(v Volume, sign int64) {
	if v.ID == 0 {
		return
	}
	s.Volumes += sign
	s.Provisioned += sign * v.Size
	s.MinIOPS += sign * v.QoS.Min
}
