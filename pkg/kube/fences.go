package kube

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/retry"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

// FenceOptions are what the controller's side of fences works with.
type FenceOptions struct {
	Client    kubernetes.Interface
	Namespace string // of the Leases
	// Owns tells whether a node of that name may speak for that node ID: a Lease
	// is written by its node alone, but says itself whose it is.
	Owns func(node, nodeID string) bool
}

// Fences is the controller's side: it tells nodes what they were fenced from, in
// their Leases, and hears what is over. The rights to get, list, watch and update
// Leases in the namespace are all that it needs.
type Fences struct {
	o        FenceOptions
	informer cache.SharedIndexInformer
	queue    workqueue.TypedRateLimitingInterface[string] // names of Leases to look at

	mu     sync.Mutex
	untold map[string]map[string]int64 // node ID, volume ID, epoch
}

const (
	byHolder = "holder"
	// confirmTimeout bounds one confirmation, so that an array that does not
	// answer does not hold up what concerns others.
	confirmTimeout = 30 * time.Second
	fenceWorkers   = 4
)

// NewFences asks nothing of the API server yet.
func NewFences(o FenceOptions) (*Fences, error) {
	f := &Fences{
		o: o, untold: map[string]map[string]int64{},
		informer: leaseInformer(o.Client, o.Namespace, func(l *metav1.ListOptions) { l.LabelSelector = nodeLeaseLabel }),
		queue:    workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]()),
	}
	err := f.informer.AddIndexers(cache.Indexers{byHolder: func(object any) ([]string, error) {
		l, ok := object.(*coordinationv1.Lease)
		if !ok || l.Spec.HolderIdentity == nil {
			return nil, nil
		}
		return []string{*l.Spec.HolderIdentity}, nil
	}})
	if err != nil {
		return nil, fmt.Errorf("fences: %w", err)
	}
	_, err = f.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { f.look(object) },
		UpdateFunc: func(_, object any) { f.look(object) },
	})
	if err != nil {
		return nil, fmt.Errorf("fences: %w", err)
	}
	return f, nil
}

func (f *Fences) look(object any) {
	if l, ok := object.(*coordinationv1.Lease); ok {
		f.queue.Add(l.Name)
	}
}

// Tell lets the node know that its grants of the volume up to that epoch are
// over. It does not wait; what cannot be told now is told later. An error says
// that the node has no Lease yet: its plugin has not run in this cluster.
func (f *Fences) Tell(nodeID, volumeID string, epoch int64) error {
	f.mu.Lock()
	if f.untold[nodeID] == nil {
		f.untold[nodeID] = map[string]int64{}
	}
	f.untold[nodeID][volumeID] = max(epoch, f.untold[nodeID][volumeID])
	f.mu.Unlock()
	leases, err := f.informer.GetIndexer().ByIndex(byHolder, nodeID)
	if err != nil {
		return fmt.Errorf("tell node %s: %w", nodeID, err)
	}
	for _, l := range leases {
		f.look(l)
	}
	if len(leases) == 0 {
		return fmt.Errorf("tell node %s: it has no Lease in namespace %s, so its node plugin does not run", nodeID, f.o.Namespace)
	}
	return nil
}

// Follow tells nodes, and calls confirmed with what they say is over, until the
// context ends; again and again where it fails. It is for one call.
func (f *Fences) Follow(ctx context.Context, confirmed func(ctx context.Context, nodeID, volumeID string, epoch int64) error) {
	var running sync.WaitGroup
	running.Go(func() { f.informer.RunWithContext(ctx) })
	if cache.WaitForCacheSync(ctx.Done(), f.informer.HasSynced) {
		for range fenceWorkers {
			running.Go(func() { f.work(ctx, confirmed) })
		}
	}
	<-ctx.Done()
	f.queue.ShutDown()
	running.Wait()
}

func (f *Fences) work(ctx context.Context, confirmed func(context.Context, string, string, int64) error) {
	for {
		name, ended := f.queue.Get()
		if ended {
			return
		}
		err := f.settle(ctx, name, confirmed)
		switch {
		case err == nil:
			f.queue.Forget(name)
		case ctx.Err() == nil:
			klog.FromContext(ctx).Error(err, "The fences of a node are not settled yet", "lease", klog.KRef(f.o.Namespace, name))
			f.queue.AddRateLimited(name)
		}
		f.queue.Done(name)
	}
}

// settle takes to the array what the node's Lease says is over, and then writes
// what is still to be told.
func (f *Fences) settle(ctx context.Context, name string, confirmed func(context.Context, string, string, int64) error) error {
	object, exists, err := f.informer.GetIndexer().GetByKey(f.o.Namespace + "/" + name)
	if err != nil || !exists {
		return err
	}
	l, ok := object.(*coordinationv1.Lease)
	if !ok {
		return nil
	}
	n, err := readNodeLease(l)
	if err != nil {
		return err
	}
	if !f.o.Owns(n.node, n.id) {
		klog.FromContext(ctx).Info("A node's Lease speaks for another node: it is not heard", "lease", klog.KObj(l), "node", n.node, "nodeID", n.id)
		return nil
	}
	over := map[string]int64{}
	for volumeID, told := range n.fenced {
		if !n.over(volumeID, told) {
			continue
		}
		if err := within(ctx, func(ctx context.Context) error { return confirmed(ctx, n.id, volumeID, told.Epoch) }); err != nil {
			return fmt.Errorf("volume %s, confirmed by node %s up to epoch %d: %w", volumeID, n.node, told.Epoch, err)
		}
		klog.FromContext(ctx).Info("A node has confirmed that it holds nothing of a volume any more", "node", n.node, "volumeID", volumeID, "epoch", told.Epoch)
		over[volumeID] = told.Epoch
	}
	return f.update(ctx, n, over)
}

func within(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	return do(ctx)
}

// update takes from the Lease what is over and adds what was not told. It reads
// the Lease anew: the boot in a notice must be one that the node had when, or
// after, it was fenced.
func (f *Fences) update(ctx context.Context, n nodeLease, over map[string]int64) error {
	f.mu.Lock()
	untold := maps.Clone(f.untold[n.id])
	f.mu.Unlock()
	if len(over) == 0 && len(untold) == 0 {
		return nil
	}
	leases := f.o.Client.CoordinationV1().Leases(f.o.Namespace)
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		l, err := leases.Get(ctx, NodeLeaseName(n.node), metav1.GetOptions{})
		if err != nil {
			return err
		}
		now, err := readNodeLease(l)
		if err != nil || now.id != n.id {
			return err
		}
		fenced := now.next(untold, over)
		if maps.Equal(fenced, now.fenced) {
			return nil
		}
		if err := annotate(l, fencedAnnotation, fenced); err != nil {
			return err
		}
		_, err = leases.Update(ctx, l, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("tell node %s: %w", n.node, err)
	}
	f.told(n.id, untold)
	return nil
}

// next are the notices that the Lease should have.
func (n nodeLease) next(untold, over map[string]int64) map[string]notice {
	fenced := map[string]notice{}
	maps.Copy(fenced, n.fenced)
	for volumeID, epoch := range over {
		if fenced[volumeID].Epoch <= epoch {
			delete(fenced, volumeID)
		}
	}
	for volumeID, epoch := range untold {
		if fenced[volumeID].Epoch < epoch {
			fenced[volumeID] = notice{Epoch: epoch, Boot: n.boot}
		}
	}
	return fenced
}

func (f *Fences) told(nodeID string, done map[string]int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for volumeID, epoch := range done {
		if f.untold[nodeID][volumeID] <= epoch {
			delete(f.untold[nodeID], volumeID)
		}
	}
	if len(f.untold[nodeID]) == 0 {
		delete(f.untold, nodeID)
	}
}
