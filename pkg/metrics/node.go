package metrics

import "github.com/prometheus/client_golang/prometheus"

// Node is how a node's volumes stand.
type Node struct {
	Staged, Recovering, Missing, Fenced int
	Paths                               int             // that do not serve beside those that do
	Portals                             map[string]bool // host:port: is it reached
}

// node asks for the node's standing at each collection.
type node struct {
	ask                                                 func() Node
	staged, recovering, missing, paths, fenced, reached *prometheus.Desc
}

// Node has the metrics tell of the node whose standing ask returns.
func (m *Metrics) Node(ask func() Node) {
	m.registry.MustRegister(&node{
		ask:        ask,
		staged:     desc("node_volumes_staged", "Volumes that are staged on this node."),
		recovering: desc("node_volumes_recovering", "Staged volumes none of whose sessions is logged in."),
		missing:    desc("node_volumes_without_session", "Staged volumes without any session."),
		paths:      desc("node_paths_missing", "Paths of staged volumes that do not serve beside those that do."),
		fenced:     desc("node_volumes_fenced", "Volumes that the controller fenced and that this node has not let go of yet."),
		reached:    desc("node_portal_reached", "1 if the portal of a staged volume took a connection from this node.", "portal"),
	})
}

// NodeAction tells of what the node's reconciler did or saw; both are of a
// bounded set.
func (m *Metrics) NodeAction(action, result string) {
	m.nodeActions.WithLabelValues(action, result).Inc()
}

// Describe sends nothing: portals come and go.
func (c *node) Describe(chan<- *prometheus.Desc) {}

func (c *node) Collect(to chan<- prometheus.Metric) {
	n := c.ask()
	tell := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	tell(c.staged, float64(n.Staged))
	tell(c.recovering, float64(n.Recovering))
	tell(c.missing, float64(n.Missing))
	tell(c.paths, float64(n.Paths))
	tell(c.fenced, float64(n.Fenced))
	for portal, reached := range n.Portals {
		tell(c.reached, flag(reached), portal)
	}
}
