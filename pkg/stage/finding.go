package stage

import (
	"maps"
	"sync"
)

// Act is what the reconciler did or saw, a label of its metric.
type Act string

// The acts.
const (
	ActFence   Act = "fence"   // took down what is of a fenced epoch, and confirmed it
	ActClean   Act = "clean"   // took down what a stage left that nobody came back for
	ActLogin   Act = "login"   // logged a staged volume's lost session in again
	ActRecover Act = "recover" // saw a session that does not come back; nothing is done
	ActPortal  Act = "portal"  // saw a portal that is not reached; nothing is done
	ActLook    Act = "look"    // could not look: at records, fences or sysfs
)

// Finding is one thing that the reconciler did or saw.
type Finding struct {
	Act      Act
	VolumeID string // "" where it is not about one volume
	Message  string
	Err      error // why it failed; nil where it was done, or only seen
}

// Standing is how the node's volumes stood at the last look.
type Standing struct {
	Staged     int             // all that is mounted or shown
	Recovering int             // of those, whose sessions are all not logged in
	Missing    int             // of those, that have no session
	Paths      int             // paths of staged volumes that do not serve beside those that do
	Fenced     int             // volumes that the controller fenced and that are not confirmed
	Portals    map[string]bool // of staged volumes: is it reached
}

// sightings are what the rounds of the reconciler keep in mind.
type sightings struct {
	mu       sync.Mutex
	fenced   map[string]int64 // by volume: grants up to that epoch are over
	told     map[string]bool  // what was told and still holds
	standing Standing
}

func newSightings() *sightings {
	return &sightings{fenced: map[string]int64{}, told: map[string]bool{}}
}

// fencedUpTo is 0 where nothing was fenced: epochs count from 1.
func (s *sightings) fencedUpTo(volumeID string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fenced[volumeID]
}

// fence keeps what was fenced, also after it was confirmed.
func (s *sightings) fence(pending map[string]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for volumeID, epoch := range pending {
		s.fenced[volumeID] = max(s.fenced[volumeID], epoch)
	}
}

// first reports whether something that holds was not told of yet; what does not
// hold is forgotten, to be told when it comes again.
func (s *sightings) first(what string, holds bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	told := s.told[what]
	delete(s.told, what)
	if holds {
		s.told[what] = true
	}
	return holds && !told
}

func (s *sightings) stand(now Standing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.standing = now
}

// Standing is how the volumes stood when the reconciler looked last.
func (s *Stager) Standing() Standing {
	s.seen.mu.Lock()
	defer s.seen.mu.Unlock()
	now := s.seen.standing
	now.Portals = maps.Clone(now.Portals)
	return now
}
