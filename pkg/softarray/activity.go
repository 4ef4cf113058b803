package softarray

import (
	"time"

	"github.com/san-csi/san-csi/pkg/softarray/api"
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// activity is what is known of the array's I/O as a whole beyond its totals.
type activity struct {
	sample       store.Counters
	peakIOPS     int64
	peakSessions int64
	since        time.Time // 00:00 UTC, or the first sample if that was later
	opsThen      int64
}

// sample ends a sample of every volume in use.
func (s *volumes) sample(sessions int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum store.Counters
	for _, live := range s.live {
		sum = sum.Add(live.meter.sample())
	}
	a := &s.activity
	a.sample = sum
	a.peakIOPS = max(a.peakIOPS, ops(sum)*int64(time.Second/api.SamplePeriod))
	a.peakSessions = max(a.peakSessions, sessions)
	now := s.clock.Now().UTC()
	if a.since.IsZero() {
		a.since, a.opsThen = now, ops(s.total())-ops(sum)
	} else if midnight := now.Truncate(24 * time.Hour); a.since.Before(midnight) {
		a.since, a.opsThen = midnight, ops(s.total())
	}
}

// total is the sum over all volumes since they were made. s.mu is held.
func (s *volumes) total() store.Counters {
	sum := s.gone
	for _, c := range s.idle {
		sum = sum.Add(c)
	}
	for _, live := range s.live {
		sum = sum.Add(live.meter.total())
	}
	return sum
}

func ops(c store.Counters) int64 { return c.ReadOps + c.WriteOps }

// Activity is what all volumes did.
func (s *volumes) Activity() api.Activity {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.activity
	out := api.Activity{
		Usage:    api.Usage{Total: s.total(), Sample: a.sample},
		PeakIOPS: a.peakIOPS, PeakSessions: a.peakSessions,
	}
	for _, live := range s.live {
		out.Queue += live.meter.queue.Load()
	}
	if seconds := int64(s.clock.Since(a.since) / time.Second); !a.since.IsZero() && seconds > 0 {
		out.AverageIOPS = (ops(out.Total) - a.opsThen) / seconds
	}
	return out
}
