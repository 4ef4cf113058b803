package element

import (
	"sync"
	"time"

	api "github.com/san-csi/san-csi/pkg/element"
)

// snapshotsKnown is how long a list of all the array's snapshots tells which
// volumes have none: longer than from one sweep, which makes it, to the next.
// Within that time a snapshot that was made past this driver may be overlooked.
const snapshotsKnown = 90 * time.Second

// snapshotted remembers which volumes may have snapshots: those of the last list
// of all, and those that this process has made some of since.
type snapshotted struct {
	mu     sync.Mutex
	listed map[int64]bool
	asked  time.Time           // when that list was asked for
	made   map[int64]time.Time // when the last call for one ended
}

// fill takes in a list of all the array's snapshots.
func (s *snapshotted) fill(all []api.Snapshot, asked time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if asked.Before(s.asked) {
		return
	}
	s.asked, s.listed = asked, make(map[int64]bool)
	for _, one := range all {
		s.listed[one.VolumeID] = true
	}
	for volume, ended := range s.made {
		if ended.Before(asked) {
			delete(s.made, volume)
		}
	}
}

// note says that a call for a snapshot of the volumes has ended, however it did.
// Its caller holds their locks.
func (s *snapshotted) note(volumes []int64, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made == nil {
		s.made = map[int64]time.Time{}
	}
	for _, v := range volumes {
		s.made[v] = now
	}
}

// may tells whether a volume may have snapshots. Its caller holds its lock.
func (s *snapshotted) may(volume int64, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, made := s.made[volume]
	return made || s.listed[volume] || now.Sub(s.asked) >= snapshotsKnown
}
