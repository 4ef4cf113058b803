package kube

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
)

const (
	nodeName   = "worker-1"
	driverName = "san-csi.io"
	taintKey   = "san-csi.io/agent-not-ready"
)

var (
	ours   = corev1.Taint{Key: taintKey, Effect: corev1.TaintEffectNoExecute}
	theirs = corev1.Taint{Key: "example.com/maintenance", Value: "yes", Effect: corev1.TaintEffectNoSchedule}
)

func node(taints ...corev1.Taint) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}, Spec: corev1.NodeSpec{Taints: taints}}
}

func csiNode(drivers ...string) *storagev1.CSINode {
	n := &storagev1.CSINode{ObjectMeta: metav1.ObjectMeta{Name: nodeName}}
	for _, d := range drivers {
		n.Spec.Drivers = append(n.Spec.Drivers, storagev1.CSINodeDriver{Name: d, NodeID: "id"})
	}
	return n
}

func taints(t *testing.T, client kubernetes.Interface) []corev1.Taint {
	t.Helper()
	n, err := client.CoreV1().Nodes().Get(t.Context(), nodeName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return n.Spec.Taints
}

func TestStartupTaint(t *testing.T) {
	both := ours
	both.Effect = corev1.TaintEffectNoSchedule
	for name, c := range map[string]struct{ had, left []corev1.Taint }{
		"ours alone":            {had: []corev1.Taint{ours}},
		"ours among others":     {had: []corev1.Taint{theirs, ours}, left: []corev1.Taint{theirs}},
		"ours with two effects": {had: []corev1.Taint{ours, theirs, both}, left: []corev1.Taint{theirs}},
		"others":                {had: []corev1.Taint{theirs}, left: []corev1.Taint{theirs}},
		"none":                  {},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(node(c.had...), csiNode(driverName))
			if err := RemoveStartupTaint(t.Context(), client, nodeName, driverName, taintKey); err != nil {
				t.Fatal(err)
			}
			if got := taints(t, client); !slices.Equal(got, c.left) {
				t.Errorf("taints %v, want %v", got, c.left)
			}
			patched := slices.ContainsFunc(client.Actions(), func(a k8stesting.Action) bool { return a.GetVerb() == "patch" })
			if patched != (len(c.had) != len(c.left)) {
				t.Errorf("patched: %v", patched)
			}
		})
	}
}

// TestTaintStaysUntilRegistered: a pod that started before the kubelet lists the
// driver would fail to mount.
func TestTaintStaysUntilRegistered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(node(ours), csiNode("other.example.com"))
		ended := make(chan error, 1)
		go func() { ended <- RemoveStartupTaint(t.Context(), client, nodeName, driverName, taintKey) }()
		synctest.Wait()
		if got := taints(t, client); !slices.Equal(got, []corev1.Taint{ours}) {
			t.Fatalf("taints %v before the driver was registered", got)
		}
		_, err := client.StorageV1().CSINodes().Update(t.Context(), csiNode("other.example.com", driverName), metav1.UpdateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if got := taints(t, client); len(got) != 0 {
			t.Errorf("taints %v after the driver was registered", got)
		}
	})
}

// TestTaintAddedMeanwhile: the patch is refused when the list is no longer the
// one that was seen, and made anew.
func TestTaintAddedMeanwhile(t *testing.T) {
	client := fake.NewClientset(node(ours), csiNode(driverName))
	refused := false
	client.PrependReactor("patch", "nodes", func(k8stesting.Action) (bool, runtime.Object, error) {
		if refused {
			return false, nil, nil
		}
		refused = true
		gvr := schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
		if err := client.Tracker().Update(gvr, node(ours, theirs), ""); err != nil {
			return true, nil, err
		}
		return true, nil, apierrors.NewInvalid(schema.GroupKind{Kind: "Node"}, nodeName, nil)
	})
	if err := RemoveStartupTaint(t.Context(), client, nodeName, driverName, taintKey); err != nil {
		t.Fatal(err)
	}
	if got := taints(t, client); !slices.Equal(got, []corev1.Taint{theirs}) {
		t.Errorf("taints %v, want %v", got, theirs)
	}
}

// TestTaintIsTriedAgain: an API server in trouble must not leave a node empty.
func TestTaintIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(node(ours), csiNode(driverName))
		failures := 3
		client.PrependReactor("get", "nodes", func(k8stesting.Action) (bool, runtime.Object, error) {
			if failures == 0 {
				return false, nil, nil
			}
			failures--
			return true, nil, apierrors.NewInternalError(errors.New("no leader"))
		})
		if err := RemoveStartupTaint(t.Context(), client, nodeName, driverName, taintKey); err != nil {
			t.Fatal(err)
		}
		if got := taints(t, client); failures != 0 || len(got) != 0 {
			t.Errorf("%d failures are left, taints %v", failures, got)
		}
	})
}

func TestTaintErrors(t *testing.T) {
	client := fake.NewClientset(csiNode(driverName))
	err := RemoveStartupTaint(t.Context(), client, nodeName, driverName, taintKey)
	if !apierrors.IsNotFound(err) {
		t.Errorf("no such node: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := RemoveStartupTaint(ctx, fake.NewClientset(node(ours)), nodeName, driverName, taintKey); err == nil || errors.Is(err, ErrLost) {
		t.Errorf("never registered, context ended: %v", err)
	}
}
