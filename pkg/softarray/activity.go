package softarray

import (
	"time"

	"github.com/san-csi/san-csi/pkg/softarray/api"
	"github.com/san-csi/san-csi/pkg/softarray/iscsi"
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// activity is what is known of the array's I/O as a whole beyond its totals.
type activity struct {
	usage        api.Usage // of the last sample
	sampled      time.Time // its end
	peakIOPS     int64
	peakSessions int64
	since        time.Time // 00:00 UTC, or the first sample if that was later
	opsThen      int64
}

// sample ends a sample of every volume in use. It is as long as it took: the
// ticks of a starved process come late.
func (s *volumes) sample(sessions []iscsi.Session) {
	queues := map[int64]int64{}
	for _, session := range sessions {
		queues[session.VolumeID] += int64(session.Outstanding)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &s.activity
	now := s.clock.Now().UTC()
	period := now.Sub(a.sampled)
	a.sampled = now
	a.usage = api.Usage{Period: period}
	for id, live := range s.live {
		a.usage.Sample = a.usage.Sample.Add(live.meter.sample(period, queues[id], live.qos.Usage()))
		a.usage.Queue += queues[id]
	}
	a.peakSessions = max(a.peakSessions, int64(len(sessions)))
	if period > 0 {
		a.peakIOPS = max(a.peakIOPS, ops(a.usage.Sample)*int64(time.Second)/int64(period))
	}
	if a.since.IsZero() {
		a.since, a.opsThen = now, ops(s.total())-ops(a.usage.Sample)
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
	out := api.Activity{Usage: a.usage, PeakIOPS: a.peakIOPS, PeakSessions: a.peakSessions}
	out.Total = s.total()
	if seconds := int64(s.clock.Since(a.since) / time.Second); !a.since.IsZero() && seconds > 0 {
		out.AverageIOPS = (ops(out.Total) - a.opsThen) / seconds
	}
	return out
}
