package placement

import "slices"

// Topology says where a volume is to be reachable from (CSI spec,
// TopologyRequirement); each entry is the labels of some nodes.
type Topology struct {
	Requisite []map[string]string // from one of these; empty = from anywhere
	Preferred []map[string]string // the first is the best
}

// reaches tells whether all nodes of that place reach the array: one of the
// array's entries must be in the place's labels. An array that declares nothing
// is reached from everywhere.
func (m Member) reaches(place map[string]string) bool {
	return len(m.Topology) == 0 || slices.ContainsFunc(m.Topology, func(entry map[string]string) bool {
		return hasLabels(place, entry)
	})
}

func (m Member) reachesAny(places []map[string]string) bool {
	return len(places) == 0 || slices.ContainsFunc(places, m.reaches)
}

// rank is the place of the array among the preferred ones, the lowest the best.
func (t Topology) rank(m Member) int {
	if i := slices.IndexFunc(t.Preferred, m.reaches); i >= 0 {
		return i
	}
	return len(t.Preferred)
}
