package driver

import (
	"sync"

	"github.com/san-csi/san-csi/pkg/san"
)

// announced remembers nodes as they were last named, with their keys. Arrays keep
// them without, but callers compare ids whole: the attacher publishes a volume
// anew, every minute, whose listed node is not the one it named.
type announced struct {
	mu  sync.Mutex
	ids map[san.Node]string // by the node's identity
}

// note remembers the id of a node that a volume was published to.
func (a *announced) note(id string) {
	n, err := san.ParseNode(id)
	if err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ids == nil {
		a.ids = map[san.Node]string{}
	}
	a.ids[n.Identity()] = id
}

// idsOf are the nodes' ids, without the key where none was named since the start.
func (a *announced) idsOf(nodes []san.Node) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	ids := make([]string, len(nodes))
	for i, n := range nodes {
		ids[i] = n.String()
		if id, ok := a.ids[n.Identity()]; ok {
			ids[i] = id
		}
	}
	return ids
}
