package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/san-csi/san-csi/pkg/qos"
)

// Account is a tenant. Its secrets are what CHAP proves (RFC 7143 §12.1.3).
type Account struct {
	ID              int64
	Username        string // unique
	Locked          bool
	InitiatorSecret string
	TargetSecret    string
	EnableCHAP      bool
	Attributes      json.RawMessage `json:",omitempty"`
	VolumeCount     int64           // also deleted ones, until they are purged; the store's own
}

// Accounts is the table of accounts.
func (t *Tx) Accounts() Table[Account] { return table[Account](t, bucketAccounts, "account") }

// AccountNamed finds an account by its exact name, or ErrNotFound.
func (t *Tx) AccountNamed(name string) (Account, error) {
	id := t.tx.Bucket(bucketAccountNames).Get([]byte(name))
	if id == nil {
		return Account{}, fmt.Errorf("account %q: %w", name, ErrNotFound)
	}
	return t.Accounts().Get(idOf(id))
}

// AddAccount stores a new account under a new id. The caller has made sure
// that the name is free.
func (t *Tx) AddAccount(a Account) (Account, error) {
	var err error
	if a.ID, err = t.Accounts().next(); err != nil {
		return a, err
	}
	return a, t.PutAccount(a)
}

// PutAccount replaces an account; its name may have changed to a free one, its
// VolumeCount must not have.
func (t *Tx) PutAccount(a Account) error {
	names := t.tx.Bucket(bucketAccountNames)
	if old, err := t.Accounts().Get(a.ID); err == nil && old.Username != a.Username {
		if err := names.Delete([]byte(old.Username)); err != nil {
			return fmt.Errorf("account name %q: %w", old.Username, err)
		}
	}
	if err := names.Put([]byte(a.Username), key(a.ID)); err != nil {
		return fmt.Errorf("account name %q: %w", a.Username, err)
	}
	return t.Accounts().put(a.ID, a)
}

// RemoveAccount removes an account that has no volumes.
func (t *Tx) RemoveAccount(id int64) error {
	a, err := t.Accounts().Get(id)
	if err != nil {
		return err
	}
	if err := t.tx.Bucket(bucketAccountNames).Delete([]byte(a.Username)); err != nil {
		return fmt.Errorf("account name %q: %w", a.Username, err)
	}
	return t.Accounts().remove(id)
}

// VolumesOf are the ids of an account's volumes, ascending; also of deleted
// ones, until they are purged.
func (t *Tx) VolumesOf(account int64) []int64 {
	var ids []int64
	prefix := key(account)
	c := t.tx.Bucket(bucketAccountVolumes).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		ids = append(ids, idOf(k[len(prefix):]))
	}
	return ids
}

// setOwner moves a volume's entry from one account (0 = none) to another. The
// entries are not in the account's record, so that a volume costs the same
// whatever the number of its account's.
func (t *Tx) setOwner(volume, from, to int64) error {
	if from == to {
		return nil
	}
	owned := t.tx.Bucket(bucketAccountVolumes)
	if from != 0 {
		if err := owned.Delete(pair(from, volume)); err != nil {
			return fmt.Errorf("volume %d of account %d: %w", volume, from, err)
		}
		if err := t.countOwned(from, -1); err != nil {
			return err
		}
	}
	if to == 0 {
		return nil
	}
	if err := owned.Put(pair(to, volume), nil); err != nil {
		return fmt.Errorf("volume %d of account %d: %w", volume, to, err)
	}
	return t.countOwned(to, 1)
}

func (t *Tx) countOwned(account, more int64) error {
	a, err := t.Accounts().Get(account)
	if err != nil {
		return err
	}
	a.VolumeCount += more
	return t.Accounts().put(account, a)
}

// Policy is a named QoS that volumes may share.
type Policy struct {
	ID   int64
	Name string
	QoS  qos.Values
}

// Policies is the table of QoS policies.
func (t *Tx) Policies() Table[Policy] { return table[Policy](t, bucketPolicies, "QoS policy") }

// AddPolicy stores a new policy under a new id.
func (t *Tx) AddPolicy(p Policy) (Policy, error) {
	var err error
	if p.ID, err = t.Policies().next(); err != nil {
		return p, err
	}
	return p, t.PutPolicy(p)
}

// PutPolicy replaces a policy.
func (t *Tx) PutPolicy(p Policy) error { return t.Policies().put(p.ID, p) }

// RemovePolicy removes a policy; volumes are the caller's to detach.
func (t *Tx) RemovePolicy(id int64) error { return t.Policies().remove(id) }

// insert adds id to an ascending list that may already have it.
func insert(ids []int64, id int64) []int64 {
	at, found := slices.BinarySearch(ids, id)
	if found {
		return ids
	}
	return slices.Insert(ids, at, id)
}

// remove takes id out of an ascending list.
func remove(ids []int64, id int64) []int64 {
	at, found := slices.BinarySearch(ids, id)
	if !found {
		return ids
	}
	return slices.Delete(ids, at, at+1)
}
