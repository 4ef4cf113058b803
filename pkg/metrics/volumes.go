package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collectTimeout bounds asking the arrays for one collection: Prometheus waits
// 10 s by default.
const collectTimeout = 8 * time.Second

// Volume is how a volume does: IOPS of 4 KiB.
type Volume struct {
	Array, ID, PV, PVC    string
	Floor, Ceiling, Burst int64
	ActualIOPS            int64
	Throttle              float64 // 0 to 1: how far the array holds it below its ceiling
}

// volumes asks for the volumes at each collection.
type volumes struct {
	ask                                     func(context.Context) []Volume
	floor, ceiling, burst, actual, throttle *prometheus.Desc
}

// Volumes has the metrics tell of every volume that ask returns.
func (m *Metrics) Volumes(ask func(context.Context) []Volume) {
	each := func(name, help string) *prometheus.Desc {
		return desc(name, help, "array", "volume", "pv", "pvc")
	}
	m.registry.MustRegister(&volumes{
		ask:      ask,
		floor:    each("volume_floor_iops", "The volume's floor in force, IOPS of 4 KiB."),
		ceiling:  each("volume_ceiling_iops", "Its ceiling in force."),
		burst:    each("volume_burst_iops", "Its burst in force."),
		actual:   each("volume_actual_iops", "What it did in the array's last sample, I/Os a second of any size."),
		throttle: each("volume_throttle", "How far the array holds it below its ceiling, 0 to 1."),
	})
}

// Describe sends nothing: that would ask the arrays before anything is served.
func (c *volumes) Describe(chan<- *prometheus.Desc) {}

func (c *volumes) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	for _, v := range c.ask(ctx) {
		for d, value := range map[*prometheus.Desc]float64{
			c.floor: float64(v.Floor), c.ceiling: float64(v.Ceiling), c.burst: float64(v.Burst),
			c.actual: float64(v.ActualIOPS), c.throttle: v.Throttle,
		} {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, v.Array, v.ID, v.PV, v.PVC)
		}
	}
}
