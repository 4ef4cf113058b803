package sched

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/san-csi/san-csi/pkg/qos"
)

// hurried is a clock on which nobody reaches a limit: a thousand times as fast.
type hurried struct{ clock.RealClock }

func (hurried) Since(t time.Time) time.Duration { return 1000 * time.Since(t) }

// BenchmarkUnthrottled is what an I/O that need not wait pays, reading the
// clock included.
func BenchmarkUnthrottled(b *testing.B) {
	for _, count := range []int{1, 64} {
		b.Run(fmt.Sprintf("volumes=%d", count), func(b *testing.B) {
			a := NewArray(hurried{}, plenty)
			volumes := make([]*Volume, count)
			for i := range volumes {
				volumes[i] = a.NewVolume(qos.Values{Min: 50, Max: highest, Burst: highest}, 0)
			}
			var next, held atomic.Int64
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				v := volumes[int(next.Add(1))%count]
				for pb.Next() {
					if !v.TryAdmit(page) {
						held.Add(1)
					}
				}
			})
			// A goroutine that loses its processor with the time in hand comes late.
			if n := held.Load(); n > int64(b.N/1000)+1 {
				b.Errorf("%d of %d I/Os had to wait", n, b.N)
			}
		})
	}
}
