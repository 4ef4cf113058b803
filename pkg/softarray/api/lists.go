package api

import (
	"errors"
	"iter"
	"maps"
	"slices"

	"github.com/san-csi/san-csi/pkg/softarray/store"
)

func listMethods() map[string]method {
	return map[string]method{
		"ListVolumes":           query(listVolumes),
		"ListActiveVolumes":     query(listActiveVolumes),
		"ListDeletedVolumes":    query(listDeletedVolumes),
		"ListVolumesForAccount": query(listVolumesForAccount, "accountID"),
		"GetVolumeCount":        query(getVolumeCount),
	}
}

type listParams struct {
	Accounts  integers `json:"accounts"`
	AccountID integer  `json:"accountID"`
	VolumeIDs integers `json:"volumeIDs"`
	Start     integer  `json:"startVolumeID"`
	Limit     integer  `json:"limit"`
	Name      string   `json:"volumeName"`
	Status    string   `json:"volumeStatus"`
	IsPaired  boolean  `json:"isPaired"`
}

// pageSize is how many entries an answer may have at most.
func pageSize(limit integer) (int, error) {
	if limit == 0 {
		return volumesPerListMax, nil
	}
	if err := within("limit", int64(limit), 1, 1<<31-1); err != nil {
		return 0, err
	}
	return min(int(limit), volumesPerListMax), nil
}

func listVolumes(c *call, p listParams) (any, error) {
	if len(p.VolumeIDs.Values) > 0 && (len(p.Accounts.Values) > 0 || p.Start != 0 || p.Limit != 0) {
		return nil, failf(invalidParameter, "volumeIDs excludes accounts, startVolumeID and limit")
	}
	if p.Status != "" {
		err := oneOf("volumeStatus", p.Status, statusActive, statusDeleted, statusInit, "creating", "snapshotting")
		if err != nil {
			return nil, err
		}
	}
	source, err := c.candidates(p)
	if err != nil {
		return nil, err
	}
	return c.page(source, p, func(v store.Volume) bool {
		return (p.Status == "" || status(v) == p.Status) &&
			(p.Name == "" || v.Name == p.Name) &&
			(len(p.Accounts.Values) == 0 || slices.Contains(p.Accounts.Values, v.AccountID)) &&
			!p.IsPaired.Value // there is no pairing
	})
}

func listActiveVolumes(c *call, p listParams) (any, error) {
	usable := func(v store.Volume) bool { return status(v) == statusActive }
	return c.page(c.tx.Volumes().From(int64(p.Start)), p, usable)
}

func listDeletedVolumes(c *call, _ none) (any, error) {
	ids := slices.Collect(maps.Keys(c.tx.DeletedVolumes()))
	return c.page(c.byID(ids), listParams{}, anyVolume)
}

func listVolumesForAccount(c *call, p listParams) (any, error) {
	a, err := c.account(int64(p.AccountID))
	if err != nil {
		return nil, err
	}
	return c.page(c.byID(c.tx.VolumesOf(a.ID)), p, anyVolume)
}

func anyVolume(store.Volume) bool { return true }

// page answers the matching volumes of a source that goes up by id, from the
// start to the limit that the parameters give.
func (c *call) page(source iter.Seq2[store.Volume, error], p listParams, match func(store.Volume) bool) (any, error) {
	limit, err := pageSize(p.Limit)
	if err != nil {
		return nil, err
	}
	var found []store.Volume
	for v, err := range source {
		if err != nil {
			return nil, err
		}
		if v.ID < int64(p.Start) || !match(v) {
			continue
		}
		if found = append(found, v); len(found) == limit {
			break
		}
	}
	w, err := c.toWireVolumes(found)
	return result{"volumes": w}, err
}

// candidates are the volumes that a list has to look at: those named by id or
// by name where there are such, so that a look-up does not walk all volumes.
func (c *call) candidates(p listParams) (iter.Seq2[store.Volume, error], error) {
	if len(p.VolumeIDs.Values) > 0 {
		return c.byID(p.VolumeIDs.Values), nil
	}
	if p.Name == "" {
		return c.tx.Volumes().From(int64(p.Start)), nil
	}
	named, err := c.tx.VolumesNamed(p.Name)
	return func(yield func(store.Volume, error) bool) {
		for _, v := range named {
			if !yield(v, nil) {
				return
			}
		}
	}, err
}

// byID walks volumes by id; those that do not exist are left out.
func (c *call) byID(ids []int64) iter.Seq2[store.Volume, error] {
	return func(yield func(store.Volume, error) bool) {
		for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
			v, err := c.tx.Volumes().Get(id)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

func getVolumeCount(c *call, _ none) (any, error) {
	totals, err := c.tx.Totals()
	return result{"count": totals.Volumes}, err
}
