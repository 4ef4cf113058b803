package metrics

import "github.com/prometheus/client_golang/prometheus"

// Array is how an array stands: IOPS of 4 KiB, bytes, counts.
type Array struct {
	Name                       string
	Up, Leaving                bool
	BudgetIOPS, PromisedIOPS   int64
	BudgetBytes, PromisedBytes int64
	Volumes, Others, Deleted   int
	Attachments                int
	StoreBytes, UsedBytes      int64 // what it can store, and what of that is taken
	Fullness                   int   // its stage, 1 to 5; 0 = not known
	Faults                     []Fault
}

// Fault is something that an array says is wrong with it.
type Fault struct{ Code, Severity string }

// arrays asks for the arrays at each collection.
type arrays struct {
	ask                               func() []Array
	up, leaving                       *prometheus.Desc
	budget, promised, headroom        *prometheus.Desc
	bytesBudget, bytes, bytesHeadroom *prometheus.Desc
	overrun, volumes, attachments     *prometheus.Desc
	store, used, fullness, fault      *prometheus.Desc
}

// Arrays has the metrics tell of the arrays that ask returns; nil while this
// process has nothing to do with them.
func (m *Metrics) Arrays(ask func() []Array) {
	m.registry.MustRegister(&arrays{
		ask:           ask,
		up:            desc("array_up", "1 if the array answered when its volumes were last read.", "array"),
		leaving:       desc("array_leaving", "1 if the array is no longer in the arrays' file and stays in service for the volumes it still has.", "array"),
		budget:        desc("array_iops_budget", "Floors that may be promised, IOPS of 4 KiB.", "array"),
		promised:      desc("array_iops_promised", "Floors that are promised, with those of calls on their way, IOPS of 4 KiB.", "array"),
		headroom:      desc("array_iops_headroom", "Floors that may still be promised; negative where others went past the budget.", "array"),
		bytesBudget:   desc("array_bytes_budget", "Bytes that may be provisioned.", "array"),
		bytes:         desc("array_bytes_provisioned", "Bytes that are provisioned, with those of calls on their way.", "array"),
		bytesHeadroom: desc("array_bytes_headroom", "Bytes that may still be provisioned.", "array"),
		overrun:       desc("array_overrun", "1 if more is promised than the budget has.", "array"),
		volumes:       desc("array_volumes", "Volumes on the array: this cluster's, others', and in the recycle bin.", "array", "of"),
		attachments:   desc("array_attachments", "Grants of this cluster's volumes to nodes.", "array"),
		store:         desc("array_store_bytes", "Bytes that the array can store.", "array"),
		used:          desc("array_store_used_bytes", "Bytes of that which are taken.", "array"),
		fullness:      desc("array_fullness_stage", "How full the array is: 1 fine, 2 aware, 3 low, 4 critical, 5 consumed.", "array"),
		fault:         desc("array_fault", "1 for each fault that the array has now.", "array", "code", "severity"),
	})
}

// Describe sends nothing: the arrays come and go.
func (c *arrays) Describe(chan<- *prometheus.Desc) {}

func (c *arrays) Collect(to chan<- prometheus.Metric) {
	for _, a := range c.ask() {
		tell := func(d *prometheus.Desc, value float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{a.Name}, labels...)...)
		}
		room, bytesRoom := a.BudgetIOPS-a.PromisedIOPS, a.BudgetBytes-a.PromisedBytes
		tell(c.up, flag(a.Up))
		tell(c.leaving, flag(a.Leaving))
		tell(c.budget, float64(a.BudgetIOPS))
		tell(c.promised, float64(a.PromisedIOPS))
		tell(c.headroom, float64(room))
		tell(c.bytesBudget, float64(a.BudgetBytes))
		tell(c.bytes, float64(a.PromisedBytes))
		tell(c.bytesHeadroom, float64(bytesRoom))
		tell(c.overrun, flag(room < 0 || bytesRoom < 0))
		tell(c.volumes, float64(a.Volumes), "cluster")
		tell(c.volumes, float64(a.Others), "others")
		tell(c.volumes, float64(a.Deleted), "deleted")
		tell(c.attachments, float64(a.Attachments))
		tell(c.store, float64(a.StoreBytes))
		tell(c.used, float64(a.UsedBytes))
		if a.Fullness != 0 {
			tell(c.fullness, float64(a.Fullness))
		}
		for _, f := range a.Faults {
			tell(c.fault, 1, f.Code, f.Severity)
		}
	}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
