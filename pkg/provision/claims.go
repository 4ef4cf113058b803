package provision

import (
	"context"
	"fmt"
	"time"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/san"
)

// Claims are what Kubernetes has of PersistentVolumeClaims. One is named by
// namespace/name.
type Claims interface {
	// Class is the name of the claim's StorageClass, "" = it has none.
	Class(ctx context.Context, claim string) (string, error)
	// Tell tells of the claim in an event. It returns at once.
	Tell(claim string, warning bool, reason, message string)
}

// Option is something that flows can do without.
type Option func(*Flows)

// WithClaims has the flows ask and tell Kubernetes of claims.
func WithClaims(c Claims) Option { return func(f *Flows) { f.claims = c } }

// The reasons of events about claims.
const (
	reasonInForce   = "QoSInForce"
	reasonNotFenced = "NotFenced"
)

// classTimeout bounds the question for a claim's class: a volume that does not
// name it is better than none.
const classTimeout = 2 * time.Second

// classOf is the name of the claim's StorageClass where it can be had.
func (f *Flows) classOf(ctx context.Context, claim string) string {
	if f.claims == nil || claim == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, classTimeout)
	defer cancel()
	name, err := f.claims.Class(ctx, claim)
	if err != nil {
		klog.FromContext(ctx).V(2).Info("the volume will not name its class", "claim", claim, "reason", err)
	}
	return name
}

// tellQoS tells the claim of the values in force, which the class leaves open in
// part: the array's defaults and bounds have their say.
func (f *Flows) tellQoS(claim string, v *san.Volume) {
	if f.claims == nil || claim == "" {
		return
	}
	from := ""
	if v.Policy != "" {
		from = fmt.Sprintf(", by the array's policy %q", v.Policy)
	}
	f.claims.Tell(claim, false, reasonInForce, fmt.Sprintf("minIOPS %d, maxIOPS %d, burstIOPS %d of 4 KiB are in force%s (volume %s)",
		v.QoS.Min, v.QoS.Max, v.QoS.Burst, from, v.Handle))
}

// tellNotFenced tells the claim that a node may still write. The volume is asked
// for whose it is only here.
func (f *Flows) tellNotFenced(ctx context.Context, a san.Array, h san.Handle, nodeID string, failed error) {
	if f.claims == nil {
		return
	}
	v, err := a.Get(ctx, h)
	if err != nil || v.Owner.PVC == "" {
		return
	}
	f.claims.Tell(v.Owner.PVC, true, reasonNotFenced, fmt.Sprintf("node %s may still write to volume %s, and no other node gets it until it cannot: %v", nodeID, h, failed))
}
