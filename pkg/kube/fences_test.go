package kube

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
)

const (
	fenceSpace = "san-csi"
	nodeID     = "iqn.1993-08.org.debian:01:a#0a1b2c3d"
	volumeID   = "array:5:0a1b2c3d"
)

// talk is a controller and a node that share an API server.
type talk struct {
	client     *fake.Clientset
	controller *Fences
	node       *NodeFences

	mu        sync.Mutex
	confirmed map[string]int64
	down      error // of the array
}

// begin runs a test within synctest; what runs ends with it.
func begin(t *testing.T, test func(*testing.T, *talk)) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(node())
		k := &talk{client: client, confirmed: map[string]int64{}}
		k.controller = controllerOf(t, client)
		k.node = nodeOf(t, client, "boot-1")
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { k.controller.Follow(ctx, k.confirm) })
		defer running.Wait()
		defer cancel()
		synctest.Wait()
		test(t, k)
	})
}

func controllerOf(t *testing.T, client kubernetes.Interface) *Fences {
	t.Helper()
	f, err := NewFences(FenceOptions{Client: client, Namespace: fenceSpace, Owns: func(node, id string) bool {
		return node == nodeName && id == nodeID
	}})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func nodeOf(t *testing.T, client kubernetes.Interface, boot string) *NodeFences {
	t.Helper()
	f, err := NewNodeFences(NodeFenceOptions{Client: client, Namespace: fenceSpace, Node: nodeName, NodeID: nodeID, Boot: boot})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (k *talk) confirm(_ context.Context, id, volume string, epoch int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if id != nodeID {
		return errors.New("not that node")
	}
	if k.down == nil {
		k.confirmed[volume] = epoch
	}
	return k.down
}

// set is whether the array answers.
func (k *talk) set(down error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.down = down
}

// pass lets what is under way come to rest: informers look at the test's own
// clock.
func pass() {
	time.Sleep(time.Second)
	synctest.Wait()
}

// heard is what the array was told.
func (k *talk) heard(t *testing.T, want map[string]int64) {
	t.Helper()
	pass()
	k.mu.Lock()
	defer k.mu.Unlock()
	if !maps.Equal(k.confirmed, want) {
		t.Errorf("confirmed %v; want %v", k.confirmed, want)
	}
}

// run starts the node's side; stop ends it.
func (k *talk) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { k.node.Run(ctx) })
	pass()
	return func() { cancel(); running.Wait() }
}

func (k *talk) pending(t *testing.T, want map[string]int64) {
	t.Helper()
	pass()
	got, err := k.node.Pending(t.Context())
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("pending %v, %v; want %v", got, err, want)
	}
}

func (k *talk) lease(t *testing.T) *coordinationv1.Lease {
	t.Helper()
	l, err := k.client.CoordinationV1().Leases(fenceSpace).Get(t.Context(), NodeLeaseName(nodeName), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestFenceIsToldAndConfirmed: there and back, and nothing is left in the Lease
// but what the node said last.
func TestFenceIsToldAndConfirmed(t *testing.T) {
	begin(t, func(t *testing.T, k *talk) {
		defer k.run(t)()
		if l := k.lease(t); l.Annotations[bootAnnotation] != "boot-1" || *l.Spec.HolderIdentity != nodeID || len(l.OwnerReferences) != 1 {
			t.Errorf("lease %+v", l)
		}
		k.pending(t, map[string]int64{})
		for range 2 {
			must(t, k.controller.Tell(nodeID, volumeID, 7))
			must(t, k.controller.Tell(nodeID, "array:6", 1))
		}
		k.pending(t, map[string]int64{volumeID: 7, "array:6": 1})
		select {
		case <-k.node.Changed():
		default:
			t.Error("the node is not woken")
		}
		k.heard(t, map[string]int64{})
		must(t, k.node.Confirm(t.Context(), volumeID, 6)) // not enough
		k.pending(t, map[string]int64{volumeID: 7, "array:6": 1})
		must(t, k.node.Confirm(t.Context(), volumeID, 7))
		k.heard(t, map[string]int64{volumeID: 7})
		k.pending(t, map[string]int64{"array:6": 1})
		must(t, k.node.Confirm(t.Context(), "array:6", 1))
		k.heard(t, map[string]int64{volumeID: 7, "array:6": 1})
		if l := k.lease(t); l.Annotations[fencedAnnotation] != "" || strings.Contains(l.Annotations[confirmedAnnotation], volumeID) {
			t.Errorf("annotations %v", l.Annotations)
		}
	})
}

// TestReboot: a boot that came after the notice confirms it, as nothing of a
// former one can come back.
func TestReboot(t *testing.T) {
	begin(t, func(t *testing.T, k *talk) {
		stop := k.run(t)
		must(t, k.controller.Tell(nodeID, volumeID, 7))
		k.pending(t, map[string]int64{volumeID: 7})
		stop()
		k.node = nodeOf(t, k.client, "boot-1") // the plugin is restarted, the host is not
		stop = k.run(t)
		k.heard(t, map[string]int64{})
		k.pending(t, map[string]int64{volumeID: 7})
		stop()
		k.node = nodeOf(t, k.client, "boot-2")
		defer k.run(t)()
		k.heard(t, map[string]int64{volumeID: 7})
		k.pending(t, map[string]int64{})
	})
}

// TestNodeThatIsNotThereYet: it is told when it comes, and its first boot is no
// reboot.
func TestNodeThatIsNotThereYet(t *testing.T) {
	begin(t, func(t *testing.T, k *talk) {
		if err := k.controller.Tell(nodeID, volumeID, 7); err == nil || !strings.Contains(err.Error(), nodeID) {
			t.Errorf("%v; want one that names the node", err)
		}
		defer k.run(t)()
		k.pending(t, map[string]int64{volumeID: 7})
		k.heard(t, map[string]int64{})
	})
}

// TestArrayThatIsDown: a confirmation is taken to it again.
func TestArrayThatIsDown(t *testing.T) {
	begin(t, func(t *testing.T, k *talk) {
		defer k.run(t)()
		k.set(errors.New("no answer"))
		must(t, k.controller.Tell(nodeID, volumeID, 7))
		k.pending(t, map[string]int64{volumeID: 7})
		must(t, k.node.Confirm(t.Context(), volumeID, 7))
		k.heard(t, map[string]int64{})
		k.set(nil)
		time.Sleep(2 * retryPeriod)
		k.heard(t, map[string]int64{volumeID: 7})
	})
}

// TestControllerThatRestarts: what was confirmed meanwhile is heard by the next.
func TestControllerThatRestarts(t *testing.T) {
	begin(t, func(t *testing.T, k *talk) {
		defer k.run(t)()
		k.set(errors.New("this one dies before it has told the array"))
		must(t, k.controller.Tell(nodeID, volumeID, 7))
		k.pending(t, map[string]int64{volumeID: 7})
		must(t, k.node.Confirm(t.Context(), volumeID, 7))
		k.heard(t, map[string]int64{})
		next := controllerOf(t, k.client)
		ctx, cancel := context.WithCancel(t.Context())
		heard := make(chan string, 1)
		var running sync.WaitGroup
		running.Go(func() {
			next.Follow(ctx, func(_ context.Context, _, volume string, _ int64) error { heard <- volume; return nil })
		})
		if volume := <-heard; volume != volumeID {
			t.Errorf("heard of %s", volume)
		}
		cancel()
		running.Wait()
	})
}

// TestNodeSpeaksForItselfAlone: a Lease that claims to be another node's is not
// heard.
func TestNodeSpeaksForItselfAlone(t *testing.T) {
	begin(t, func(t *testing.T, k *talk) {
		defer k.run(t)()
		must(t, k.controller.Tell(nodeID, volumeID, 7))
		k.pending(t, map[string]int64{volumeID: 7})
		forged := k.lease(t).DeepCopy()
		forged.Name, forged.ResourceVersion = NodeLeaseName("worker-2"), ""
		forged.Annotations[confirmedAnnotation] = `{"` + volumeID + `":7}`
		_, err := k.client.CoordinationV1().Leases(fenceSpace).Create(t.Context(), forged, metav1.CreateOptions{})
		must(t, err)
		k.heard(t, map[string]int64{})
		k.pending(t, map[string]int64{volumeID: 7})
	})
}

// TestConflictingWrites: both sides write one object; neither loses what the
// other wrote.
func TestConflictingWrites(t *testing.T) {
	begin(t, func(t *testing.T, k *talk) {
		defer k.run(t)()
		must(t, k.controller.Tell(nodeID, volumeID, 7))
		k.pending(t, map[string]int64{volumeID: 7})
		once := true
		k.client.PrependReactor("update", "leases", func(k8stesting.Action) (bool, runtime.Object, error) {
			if !once {
				return false, nil, nil
			}
			once = false
			return true, nil, apierrors.NewConflict(coordinationv1.Resource("leases"), NodeLeaseName(nodeName), errors.New("changed"))
		})
		must(t, k.node.Confirm(t.Context(), volumeID, 7))
		time.Sleep(2 * retryPeriod)
		k.heard(t, map[string]int64{volumeID: 7})
	})
}

// TestNothingIsStagedUnannounced: without its boot in the Lease, a later reboot
// would look like it.
func TestNothingIsStagedUnannounced(t *testing.T) {
	begin(t, func(t *testing.T, k *talk) {
		var refusing atomic.Bool
		refusing.Store(true)
		k.client.PrependReactor("create", "leases", func(k8stesting.Action) (bool, runtime.Object, error) {
			return refusing.Load(), nil, apierrors.NewInternalError(errors.New("no leader"))
		})
		defer k.run(t)()
		if err := k.node.Announced(); err == nil {
			t.Error("announced, and there is no Lease")
		}
		if _, err := k.node.Pending(t.Context()); err == nil {
			t.Error("what is pending is known, and there is no Lease")
		}
		refusing.Store(false)
		time.Sleep(2 * retryPeriod)
		must(t, k.node.Announced())
	})
}

func TestNodeFenceOptions(t *testing.T) {
	if _, err := NewNodeFences(NodeFenceOptions{Client: fake.NewClientset(), Namespace: fenceSpace, Node: nodeName, NodeID: nodeID}); err == nil {
		t.Error("no boot, and no error")
	}
}
