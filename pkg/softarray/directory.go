package softarray

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/softarray/iscsi"
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// directory says which targets there are and who may use them, from the
// records as they are at each question.
type directory struct {
	store   *store.Store
	volumes *volumes
}

// Targets are the names that a discovery session may see: the volumes of the
// initiator's access group, and those of the account it proved to be.
func (d *directory) Targets(initiator, user string) []string {
	var names []string
	err := d.store.View(func(tx *store.Tx) error {
		found, err := visible(tx, strings.ToLower(initiator), user)
		if err != nil {
			return err
		}
		cluster, err := tx.Cluster()
		for _, v := range found {
			names = append(names, v.IQN(cluster))
		}
		return err
	})
	if err != nil {
		klog.ErrorS(err, "Discovery failed", "initiator", initiator)
		return nil
	}
	return names
}

func visible(tx *store.Tx, initiator, user string) ([]store.Volume, error) {
	var ids []int64
	i, err := known(tx, initiator)
	if err != nil {
		return nil, err
	}
	if i.GroupID != 0 && (!i.RequireCHAP || user == i.CHAPUser) {
		g, err := tx.Groups().Get(i.GroupID)
		if err != nil {
			return nil, err
		}
		ids = append(ids, g.Volumes...)
	}
	if a, err := tx.AccountNamed(user); err == nil && a.EnableCHAP {
		ids = append(ids, tx.VolumesOf(a.ID)...)
	}
	slices.Sort(ids)
	var found []store.Volume
	for _, id := range slices.Compact(ids) {
		v, _, err := reachable(tx, id)
		if errors.Is(err, iscsi.ErrNoTarget) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, v)
	}
	return found, nil
}

// reachable is a volume that initiators may use at all, with its account:
// neither deleted nor locked, nor its account locked.
func reachable(tx *store.Tx, id int64) (store.Volume, store.Account, error) {
	v, err := tx.Volumes().Get(id)
	if errors.Is(err, store.ErrNotFound) {
		return v, store.Account{}, fmt.Errorf("%w: %w", iscsi.ErrNoTarget, err)
	}
	if err != nil {
		return v, store.Account{}, err
	}
	a, err := tx.Accounts().Get(v.AccountID)
	if err != nil {
		return v, a, err
	}
	if !v.Reachable() || a.Locked {
		return v, a, fmt.Errorf("volume %d is deleted or locked: %w", id, iscsi.ErrNoTarget)
	}
	return v, a, nil
}

// known is the initiator of that name; the zero initiator where there is none.
func known(tx *store.Tx, name string) (store.Initiator, error) {
	i, err := tx.InitiatorNamed(name)
	if errors.Is(err, store.ErrNotFound) {
		return store.Initiator{}, nil
	}
	return i, err
}

var errFull = errors.New("the array is full")

// Admit resolves a login. A full array takes none; the status that the
// initiator sees invites it to try again (RFC 7143 §11.13.5, 0x0300).
func (d *directory) Admit(initiator, target string) (*iscsi.Admission, error) {
	if d.volumes.full.Load() {
		return nil, errFull
	}
	var admission *iscsi.Admission
	var v store.Volume
	var cluster store.Cluster
	err := d.store.View(func(tx *store.Tx) error {
		id, ok := store.VolumeOfIQN(target)
		if !ok {
			return fmt.Errorf("%w: its name has no volume's number", iscsi.ErrNoTarget)
		}
		var account store.Account
		var err error
		if v, account, err = reachable(tx, id); err != nil {
			return err
		}
		if cluster, err = tx.Cluster(); err != nil {
			return err
		}
		if !strings.EqualFold(v.IQN(cluster), target) {
			return fmt.Errorf("volume %d is %s: %w", id, v.IQN(cluster), iscsi.ErrNoTarget)
		}
		admission, err = authorize(tx, strings.ToLower(initiator), v, account)
		return err
	})
	if err != nil {
		return nil, err
	}
	live, err := d.volumes.open(v, cluster)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", iscsi.ErrNoTarget, err) // purged since
	}
	if err != nil {
		return nil, err
	}
	admission.LUN, admission.Throttle, admission.Meter = live.lun, live.qos, live.meter
	return admission, nil
}

// authorize says how an initiator may use a volume: as a member of an access
// group without proof or with its own, otherwise by the account's secrets. A
// member that offers CHAP although it need not is held to the account's.
func authorize(tx *store.Tx, initiator string, v store.Volume, a store.Account) (*iscsi.Admission, error) {
	admission := &iscsi.Admission{VolumeID: v.ID, AccountID: a.ID, AccountName: a.Username}
	i, err := known(tx, initiator)
	if err != nil {
		return nil, err
	}
	if a.EnableCHAP {
		admission.CHAP = accountCHAP(a)
	}
	switch {
	case i.GroupID != 0 && slices.Contains(v.Groups, i.GroupID):
		if i.RequireCHAP {
			admission.CHAP, admission.Required = initiatorCHAP(i), true
		}
	case a.EnableCHAP:
		admission.Required = true
	default:
		return nil, fmt.Errorf("initiator %s is in no access group of volume %d and account %d has no CHAP: %w",
			initiator, v.ID, a.ID, iscsi.ErrForbidden)
	}
	return admission, nil
}

func accountCHAP(a store.Account) *iscsi.CHAP {
	return &iscsi.CHAP{User: a.Username, Initiator: a.InitiatorSecret, Target: a.TargetSecret}
}

func initiatorCHAP(i store.Initiator) *iscsi.CHAP {
	return &iscsi.CHAP{User: cmp.Or(i.CHAPUser, i.Name), Initiator: i.InitiatorSecret, Target: i.TargetSecret}
}

// Secrets are those of an account or, where none has that name, of an
// initiator that must use its own.
func (d *directory) Secrets(user string) (*iscsi.CHAP, bool) {
	var found *iscsi.CHAP
	err := d.store.View(func(tx *store.Tx) error {
		a, err := tx.AccountNamed(user)
		if err == nil && a.EnableCHAP && !a.Locked {
			found = accountCHAP(a)
			return nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		for i, err := range tx.Initiators().From(0) {
			if err != nil {
				return err
			}
			if i.RequireCHAP && i.CHAPUser == user {
				found = initiatorCHAP(i)
				return nil
			}
		}
		return nil
	})
	return found, err == nil && found != nil
}
