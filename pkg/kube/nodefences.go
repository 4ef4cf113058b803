package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/retry"
	"k8s.io/klog/v2"
)

// NodeFenceOptions are what a node's side of fences works with.
type NodeFenceOptions struct {
	Client    kubernetes.Interface
	Namespace string // of the Lease
	Node      string // this node's name
	NodeID    string
	Boot      string // the host's boot: differs after each
}

// NodeFences is the node's side: what the controller fenced this node from, and
// the confirmations. The rights to get, list, watch, create and update the node's
// own Lease are all that it needs; where it may get its Node too, the Lease goes
// with that.
type NodeFences struct {
	o         NodeFenceOptions
	informer  cache.SharedIndexInformer
	announced chan struct{} // closed when the Lease tells this boot
	changed   chan struct{} // holds one
	closing   sync.Once
}

// NewNodeFences asks nothing of the API server yet.
func NewNodeFences(o NodeFenceOptions) (*NodeFences, error) {
	if o.Namespace == "" || o.Node == "" || o.NodeID == "" || o.Boot == "" {
		return nil, fmt.Errorf("fences: namespace %q, node %q, node ID %q and boot %q are all needed", o.Namespace, o.Node, o.NodeID, o.Boot)
	}
	own := fields.OneTermEqualSelector(metav1.ObjectNameField, NodeLeaseName(o.Node)).String()
	f := &NodeFences{
		o: o, announced: make(chan struct{}), changed: make(chan struct{}, 1),
		informer: leaseInformer(o.Client, o.Namespace, func(l *metav1.ListOptions) { l.FieldSelector = own }),
	}
	_, err := f.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { f.notify() }, UpdateFunc: func(any, any) { f.notify() },
	})
	if err != nil {
		return nil, fmt.Errorf("fences: %w", err)
	}
	return f, nil
}

func (f *NodeFences) notify() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// Changed receives when the controller may have fenced something since it last
// received.
func (f *NodeFences) Changed() <-chan struct{} { return f.changed }

// Run tells this boot and follows the Lease, until the context ends.
func (f *NodeFences) Run(ctx context.Context) {
	err := wait.PollUntilContextCancel(ctx, retryPeriod, true, func(ctx context.Context) (bool, error) {
		err := retry.RetryOnConflict(retry.DefaultBackoff, func() error { return f.announce(ctx) })
		if err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "The node's Lease is not there yet: nothing is staged until it is", "lease", klog.KRef(f.o.Namespace, NodeLeaseName(f.o.Node)))
		}
		return err == nil, nil
	})
	if err != nil {
		return // the context has ended
	}
	klog.FromContext(ctx).Info("The node has its Lease", "lease", klog.KRef(f.o.Namespace, NodeLeaseName(f.o.Node)), "boot", f.o.Boot)
	f.closing.Do(func() { close(f.announced) })
	f.informer.RunWithContext(ctx)
}

// announce makes the Lease tell of this node and this boot.
func (f *NodeFences) announce(ctx context.Context) error {
	leases := f.o.Client.CoordinationV1().Leases(f.o.Namespace)
	l, err := leases.Get(ctx, NodeLeaseName(f.o.Node), metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	missing := err != nil
	if missing {
		l = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: NodeLeaseName(f.o.Node), Namespace: f.o.Namespace, OwnerReferences: f.owner(ctx)}}
	}
	l.Spec.HolderIdentity = &f.o.NodeID
	l.Labels, l.Annotations = with(l.Labels, nodeLeaseLabel, ""), with(l.Annotations, bootAnnotation, f.o.Boot)
	if missing {
		_, err = leases.Create(ctx, l, metav1.CreateOptions{})
	} else {
		_, err = leases.Update(ctx, l, metav1.UpdateOptions{})
	}
	return err
}

func with(m map[string]string, key, value string) map[string]string {
	m = maps.Clone(m)
	if m == nil {
		m = map[string]string{}
	}
	m[key] = value
	return m
}

// owner is the Node, so that the Lease goes with it; none where it may not be
// looked at.
func (f *NodeFences) owner(ctx context.Context) []metav1.OwnerReference {
	node, err := f.o.Client.CoreV1().Nodes().Get(ctx, f.o.Node, metav1.GetOptions{})
	if err != nil {
		klog.FromContext(ctx).V(2).Info("The node's Lease will outlive its Node", "node", f.o.Node, "reason", err)
		return nil
	}
	return []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID}}
}

// errUnannounced: nothing may be staged before the boot is told, or a later
// reboot could not be told from this one.
var errUnannounced = errors.New("this boot of the node is not told to the Kubernetes API yet, see the log of the node plugin")

// Announced is nil once the Lease tells this boot.
func (f *NodeFences) Announced() error {
	select {
	case <-f.announced:
		return nil
	default:
		return errUnannounced
	}
}

// Pending maps volume IDs to the epoch up to which, inclusive, this node's grants
// are over and it has not confirmed that.
func (f *NodeFences) Pending(ctx context.Context) (map[string]int64, error) {
	if err := f.Announced(); err != nil {
		return nil, err
	}
	if !cache.WaitForCacheSync(ctx.Done(), f.informer.HasSynced) {
		return nil, fmt.Errorf("fences of this node: %w", context.Cause(ctx))
	}
	object, exists, err := f.informer.GetIndexer().GetByKey(f.o.Namespace + "/" + NodeLeaseName(f.o.Node))
	l, ok := object.(*coordinationv1.Lease)
	if err != nil || !exists || !ok {
		return nil, err
	}
	n, err := readNodeLease(l)
	pending := map[string]int64{}
	for volumeID, told := range n.fenced {
		if n.confirmed[volumeID] < told.Epoch {
			pending[volumeID] = told.Epoch
		}
	}
	return pending, err
}

// Confirm tells the controller that nothing of the volume's grants up to that
// epoch is left on this node. What the controller asks for no more is forgotten.
func (f *NodeFences) Confirm(ctx context.Context, volumeID string, epoch int64) error {
	leases := f.o.Client.CoordinationV1().Leases(f.o.Namespace)
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		l, err := leases.Get(ctx, NodeLeaseName(f.o.Node), metav1.GetOptions{})
		if err != nil {
			return err
		}
		n, err := readNodeLease(l)
		if err != nil {
			return err
		}
		confirmed := map[string]int64{volumeID: epoch}
		for id, earlier := range n.confirmed {
			if _, asked := n.fenced[id]; asked {
				confirmed[id] = max(earlier, confirmed[id])
			}
		}
		if err := annotate(l, confirmedAnnotation, confirmed); err != nil {
			return err
		}
		_, err = leases.Update(ctx, l, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("confirm that nothing of volume %s is left up to epoch %d: %w", volumeID, epoch, err)
	}
	return nil
}
