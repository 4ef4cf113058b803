package stage

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// volumes are those that something works on. A second call on a volume is
// refused with ErrInFlight at once; calls on different volumes do not meet.
type volumes struct {
	mu   sync.Mutex
	busy map[string]struct{}
}

func (v *volumes) enter(volumeID string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, busy := v.busy[volumeID]; busy {
		return false
	}
	v.busy[volumeID] = struct{}{}
	return true
}

func (v *volumes) leave(volumeID string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.busy, volumeID)
}

// alone works on the volume while nothing else does.
func (s *Stager) alone(volumeID string, work func() error) error {
	if !s.volumes.enter(volumeID) {
		return fmt.Errorf("volume %q: another operation is in progress: %w", volumeID, ErrInFlight)
	}
	defer s.volumes.leave(volumeID)
	return work()
}

// slotTime is longer than any login, mkfs or flush that gets on.
const slotTime = 20 * time.Second

// inTurn works on the volume alone, when one of the slots is free. It holds the
// volume while it waits, so that a caller who gave up and came back does not
// queue twice; slots are given in the order of asking, and ctx is the limit.
//
// What takes longer than slotTime does not work but wait, for an array that is
// down, say. It goes on without the slot, so that volumes of other arrays need
// not wait with it.
func (s *Stager) inTurn(ctx context.Context, slots *semaphore.Weighted, volumeID string, work func() error) error {
	return s.alone(volumeID, func() error {
		if err := slots.Acquire(ctx, 1); err != nil {
			return fmt.Errorf("volume %q: wait for other volumes: %w", volumeID, err)
		}
		release := sync.OnceFunc(func() { slots.Release(1) })
		defer release()
		defer time.AfterFunc(slotTime, release).Stop()
		return work()
	})
}
