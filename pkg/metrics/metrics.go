// Package metrics is what the driver tells Prometheus. It imports nothing of
// ours, and keeps no secret: labels are names of methods, codes, arrays and,
// where asked for, volumes.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const namespace = "san_csi"

// Metrics are one process's. All methods may be called at once.
type Metrics struct {
	registry   *prometheus.Registry
	leader     prometheus.Gauge
	calls      *prometheus.HistogramVec
	arrayCalls *prometheus.CounterVec
	arrayTimes *prometheus.HistogramVec
	reloads    *prometheus.CounterVec
	valid      prometheus.Gauge
	loaded     prometheus.Gauge
	// nodeActions has no sample before the node's reconciler acts.
	nodeActions *prometheus.CounterVec
}

// New are the metrics of a driver of that version: of a node, or of a controller
// too.
func New(version string, controller bool) *Metrics {
	m := &Metrics{
		registry:    prometheus.NewRegistry(),
		leader:      gauge("leader", "1 while this process serves the controller's calls, 0 while it stands by."),
		calls:       histogram("grpc_call_duration_seconds", "How long CSI calls took.", "method", "code"),
		arrayTimes:  histogram("array_call_duration_seconds", "How long calls of an array's API took, each attempt.", "array", "method"),
		arrayCalls:  counter("array_calls_total", "Calls of an array's API, each attempt, by how they ended.", "array", "method", "result"),
		reloads:     counter("config_reloads_total", "Changes of the arrays' file that were read.", "result"),
		valid:       gauge("config_valid", "1 if the arrays' file as it is now is in force, 0 if it was refused and the former one goes on."),
		nodeActions: counter("node_actions_total", "What the node's reconciler did or saw, by how it ended.", "action", "result"),
		loaded:      gauge("config_loaded_timestamp_seconds", "When the arrays' file that is in force was read."),
	}
	build := gauge("build_info", "1, with the driver's version.")
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.WrapCollectorWith(prometheus.Labels{"version": version}, build), m.calls, m.nodeActions,
	)
	if controller {
		m.registry.MustRegister(m.leader, m.arrayCalls, m.arrayTimes, m.reloads, m.valid, m.loaded)
	}
	build.Set(1)
	return m
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Call tells of a CSI call.
func (m *Metrics) Call(method, code string, took time.Duration) {
	m.calls.WithLabelValues(method, code).Observe(took.Seconds())
}

// ArrayCall tells of one attempt of a call to an array; result is of a bounded
// set. One that took no time was not made, and is no measure of the array.
func (m *Metrics) ArrayCall(array, method, result string, took time.Duration) {
	m.arrayCalls.WithLabelValues(array, method, result).Inc()
	if took == 0 {
		return
	}
	m.arrayTimes.WithLabelValues(array, method).Observe(took.Seconds())
}

// Leading tells that this process leads from now on.
func (m *Metrics) Leading() { m.leader.Set(1) }

// Loaded tells that the arrays' file was taken when the process began.
func (m *Metrics) Loaded() {
	m.valid.Set(1)
	m.loaded.SetToCurrentTime()
}

// Reloaded tells how reading a changed arrays' file ended.
func (m *Metrics) Reloaded(err error) {
	if err != nil {
		m.reloads.WithLabelValues("refused").Inc()
		m.valid.Set(0)
		return
	}
	m.reloads.WithLabelValues("taken").Inc()
	m.Loaded()
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

// histogram has buckets from a quick answer to the longest deadline in use.
func histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help,
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120},
	}, labels)
}
