package kube

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
)

// A node and the controller talk through one Lease per node in the driver's
// namespace. Each of the two writes annotations of its own and reads the other's.
const (
	nodeLeasePrefix = "san-csi-node-"      // and the node's name
	nodeLeaseLabel  = "san-csi.io/node"    // on these Leases, to tell them from the controller's
	bootAnnotation  = "san-csi.io/boot-id" // by the node: the host's boot, told before anything is staged in it
	// by the controller: notices by volume ID, JSON
	fencedAnnotation = "san-csi.io/fenced"
	// by the node: epochs by volume ID, JSON: nothing of grants up to it is left
	confirmedAnnotation = "san-csi.io/confirmed"
)

// notice tells a node that its grants of a volume are over.
type notice struct {
	Epoch int64  `json:"epoch"`          // up to it, inclusive
	Boot  string `json:"boot,omitempty"` // of the node when it was told
}

// NodeLeaseName is the name of a node's Lease.
func NodeLeaseName(node string) string { return nodeLeasePrefix + node }

// nodeLease is what a node's Lease says.
type nodeLease struct {
	node, id, boot string
	fenced         map[string]notice
	confirmed      map[string]int64
}

func readNodeLease(l *coordinationv1.Lease) (nodeLease, error) {
	n := nodeLease{node: strings.TrimPrefix(l.Name, nodeLeasePrefix), boot: l.Annotations[bootAnnotation]}
	if l.Spec.HolderIdentity != nil {
		n.id = *l.Spec.HolderIdentity
	}
	for key, to := range map[string]any{fencedAnnotation: &n.fenced, confirmedAnnotation: &n.confirmed} {
		text := l.Annotations[key]
		if text == "" {
			continue
		}
		if err := json.Unmarshal([]byte(text), to); err != nil {
			return n, fmt.Errorf("lease %s/%s: annotation %s: %w", l.Namespace, l.Name, key, err)
		}
	}
	return n, nil
}

// over tells whether the node has confirmed what the notice asks for, or has
// booted since it was told.
func (n nodeLease) over(volumeID string, told notice) bool {
	return n.confirmed[volumeID] >= told.Epoch || told.Boot != "" && n.boot != "" && told.Boot != n.boot
}

// annotate sets an annotation to a value in JSON; an empty map takes it away.
func annotate[V any](l *coordinationv1.Lease, key string, values map[string]V) error {
	annotations := maps.Clone(l.Annotations)
	delete(annotations, key)
	if len(values) > 0 {
		text, err := json.Marshal(values)
		if err != nil {
			return fmt.Errorf("annotation %s: %w", key, err)
		}
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[key] = string(text)
	}
	l.Annotations = annotations
	return nil
}
