package softarray

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/softarray/api"
	"github.com/san-csi/san-csi/pkg/softarray/sched"
	"github.com/san-csi/san-csi/pkg/softarray/scsi"
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// volumes are the volumes in use: one LUN and one quality of service each,
// shared by all sessions, opened at the first login and closed when the volume
// is purged.
type volumes struct {
	store *store.Store
	clock clock.Clock
	sched *sched.Array
	began time.Time

	mu       sync.Mutex // of the maps only; never held over I/O of a volume
	live     map[int64]*volume
	idle     map[int64]store.Counters // of volumes that are not in use
	gone     store.Counters           // of volumes that are purged
	activity activity
	full     atomic.Bool // the array takes no writes and no logins
	squeeze  float64     // how far ceilings are moved towards floors, 0..1
}

// volume is one volume in use.
type volume struct {
	disk  *store.Disk
	meter *meter
	lun   *scsi.LUN
	qos   *sched.Volume

	refreshing sync.Mutex // the record that is read last is the one in force
}

func newVolumes(s *store.Store, c clock.Clock, totalIOPS int64) (*volumes, error) {
	all := &volumes{
		store: s, clock: c, sched: sched.NewArray(c, totalIOPS), began: c.Now(),
		live: map[int64]*volume{}, idle: map[int64]store.Counters{},
	}
	all.activity.sampled = all.began.UTC()
	err := s.View(func(tx *store.Tx) error {
		for v, err := range tx.Volumes().From(0) {
			if err != nil {
				return err
			}
			saved, err := tx.Counters().Get(v.ID)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			all.idle[v.ID] = saved
		}
		return nil
	})
	return all, err
}

// open is the volume in use; the record need not be the newest.
func (s *volumes) open(v store.Volume, c store.Cluster) (*volume, error) {
	live, fresh, err := s.openOnce(v, c)
	if err == nil && fresh {
		// A change committed since the record was read found nothing to refresh.
		s.Refresh(v.ID)
	}
	return live, err
}

func (s *volumes) openOnce(v store.Volume, c store.Cluster) (*volume, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if live, ok := s.live[v.ID]; ok {
		return live, false, nil
	}
	// Under the lock, so that Release either closes this or made it fail.
	disk, err := s.store.OpenDisk(v)
	if err != nil {
		return nil, false, err
	}
	m := newMeter(disk, s.idle[v.ID])
	live := &volume{disk: disk, meter: m, lun: scsi.NewLUN(m, identity(v, c))}
	if err := live.lun.Keep(reservations{s.store, v.ID}); err != nil {
		return nil, false, errors.Join(fmt.Errorf("volume %d: %w", v.ID, err), disk.Close())
	}
	live.qos = s.sched.NewVolume(sched.Squeezed(v.QoS, s.squeeze), s.idleTime(v))
	live.lun.SetReadOnly(s.readOnly(v))
	s.live[v.ID] = live
	delete(s.idle, v.ID)
	return live, true, nil
}

func identity(v store.Volume, c store.Cluster) scsi.Identity {
	id := scsi.Identity{
		Vendor: "SolidFir", Product: "SSD SAN", Revision: "0001",
		EUI: v.EUI(c), NAA: v.NAA(c), BlockSize: 4096,
	}
	if v.Enable512e {
		id.BlockSize = 512
	}
	return id
}

func (s *volumes) get(id int64) (*volume, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.live[id]
	return v, ok
}

// Refresh puts the committed records of volumes in use into force.
func (s *volumes) Refresh(ids ...int64) {
	for _, id := range ids {
		live, ok := s.get(id)
		if !ok {
			continue
		}
		if err := s.refresh(id, live); err != nil && !errors.Is(err, store.ErrNotFound) {
			klog.ErrorS(err, "A volume's change is not in force", "volumeID", id)
		}
	}
}

func (s *volumes) refresh(id int64, live *volume) error {
	live.refreshing.Lock()
	defer live.refreshing.Unlock()
	var v store.Volume
	err := s.store.View(func(tx *store.Tx) error {
		var err error
		v, err = tx.Volumes().Get(id)
		return err
	})
	if err != nil {
		return err
	}
	live.disk.SetSize(v.Size)
	live.qos.SetQoS(s.inForce(v.QoS))
	live.lun.SetReadOnly(s.readOnly(v))
	return nil
}

func (s *volumes) readOnly(v store.Volume) bool { return v.Access == store.ReadOnly || s.full.Load() }

// idleTime is how long a volume that was not in use has earned burst credit:
// since it was made or, where that is later, since the array started. Credit is
// not kept across a start, which nobody could check: what a volume did before a
// crash is not known to the last second, and a restart must not be a way to it.
func (s *volumes) idleTime(v store.Volume) time.Duration {
	since := s.began
	if made := v.Created.Add(time.Second); made.After(since) { // kept in whole seconds
		since = made
	}
	return max(0, s.clock.Since(since))
}

// inForce are a volume's values on an array as full as it is.
func (s *volumes) inForce(values qos.Values) qos.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sched.Squeezed(values, s.squeeze)
}

// Squeeze moves every ceiling towards its floor, all the way where by is 1.
func (s *volumes) Squeeze(by float64) {
	s.mu.Lock()
	same := s.squeeze == by
	s.squeeze = by
	inUse := slices.Collect(maps.Keys(s.live))
	s.mu.Unlock()
	if !same {
		s.Refresh(inUse...)
	}
}

// SetFull protects every volume in use from writes, or ends that.
func (s *volumes) SetFull(full bool) {
	if s.full.Swap(full) == full {
		return
	}
	s.mu.Lock()
	inUse := slices.Collect(maps.Keys(s.live))
	s.mu.Unlock()
	s.Refresh(inUse...)
}

// Release closes volumes that are purged.
func (s *volumes) Release(ids ...int64) {
	for _, id := range ids {
		if err := s.release(id); err != nil {
			klog.ErrorS(err, "Closing a purged volume failed", "volumeID", id)
		}
	}
}

func (s *volumes) release(id int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = s.gone.Add(s.idle[id])
	delete(s.idle, id)
	live, ok := s.live[id]
	if !ok {
		return nil
	}
	s.gone = s.gone.Add(live.meter.total())
	delete(s.live, id)
	return live.disk.Close()
}

// close closes every disk.
func (s *volumes) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for id, live := range s.live {
		errs = append(errs, live.disk.Close())
		s.idle[id] = live.meter.total()
	}
	clear(s.live)
	return errors.Join(errs...)
}

// save keeps the statistics of volumes in use; what a crash loses is less than
// an upkeep period's.
func (s *volumes) save() error {
	totals := map[int64]store.Counters{}
	s.mu.Lock()
	for id, live := range s.live {
		totals[id] = live.meter.total()
	}
	s.mu.Unlock()
	if len(totals) == 0 {
		return nil
	}
	err := s.store.Update(func(tx *store.Tx) error {
		for id, total := range totals {
			if err := tx.PutCounters(id, total); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("save statistics: %w", err)
	}
	return nil
}

// Usage is what a volume did and what it has.
func (s *volumes) Usage(v store.Volume) api.Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	values := sched.Squeezed(v.QoS, s.squeeze)
	if live, ok := s.live[v.ID]; ok {
		u := live.meter.usage()
		u.BurstCredit, u.MaxIOPS = live.qos.Usage().Credit, values.Max
		return u
	}
	return api.Usage{Total: s.idle[v.ID], BurstCredit: sched.Credit(values, s.idleTime(v)), MaxIOPS: values.Max}
}
