package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	toolswatch "k8s.io/client-go/tools/watch"
	"k8s.io/client-go/util/retry"
	"k8s.io/klog/v2"
)

// RemoveStartupTaint takes the taints of that key from the node, once the
// kubelet there lists the driver in its CSINode: from then on a pod with a
// volume can start. It waits for that, and tries again where the API server
// refuses, as long as the context allows. A node without the taint is left as
// it is; one that does not exist is an error.
func RemoveStartupTaint(ctx context.Context, client kubernetes.Interface, node, driver, key string) error {
	if err := awaitRegistration(ctx, client, node, driver); err != nil {
		return fmt.Errorf("wait until the kubelet of node %q lists %s: %w", node, driver, err)
	}
	err := wait.PollUntilContextCancel(ctx, retryPeriod, true, func(ctx context.Context) (bool, error) {
		err := retry.OnError(retry.DefaultBackoff, movedOn, func() error { return removeTaint(ctx, client, node, key) })
		if err != nil && !apierrors.IsNotFound(err) {
			// A node that kept its taint would stay empty: try again.
			klog.FromContext(ctx).Error(err, "the start-up taint stays for now", "node", node, "taint", key)
			return false, nil
		}
		return true, err
	})
	if err != nil {
		return fmt.Errorf("remove taint %s from node %q: %w", key, node, err)
	}
	return nil
}

// retryPeriod is how long an API server that refuses is left alone.
const retryPeriod = 10 * time.Second

// movedOn tells that the node's taints changed between the look and the patch:
// the API server answers a failed test of a JSON patch with "invalid".
func movedOn(err error) bool { return apierrors.IsInvalid(err) || apierrors.IsConflict(err) }

func awaitRegistration(ctx context.Context, client kubernetes.Interface, node, driver string) error {
	nodes := client.StorageV1().CSINodes()
	only := fields.OneTermEqualSelector(metav1.ObjectNameField, node).String()
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = only
			return nodes.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = only
			return nodes.Watch(ctx, o)
		},
	}
	// The client knows whether its server can stream the list as a watch.
	source := cache.ToListWatcherWithWatchListSemantics(lw, client)
	_, err := toolswatch.UntilWithSync(ctx, source, &storagev1.CSINode{}, nil, func(e watch.Event) (bool, error) {
		n, ok := e.Object.(*storagev1.CSINode)
		return ok && e.Type != watch.Deleted && n.Name == node && lists(n, driver), nil
	})
	return err
}

func lists(n *storagev1.CSINode, driver string) bool {
	return slices.ContainsFunc(n.Spec.Drivers, func(d storagev1.CSINodeDriver) bool { return d.Name == driver })
}

func removeTaint(ctx context.Context, client kubernetes.Interface, name, key string) error {
	node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	patch, err := taintPatch(node.Spec.Taints, key)
	if patch == nil || err != nil {
		return err
	}
	if _, err = client.CoreV1().Nodes().Patch(ctx, name, types.JSONPatchType, patch, metav1.PatchOptions{}); err != nil {
		return err
	}
	klog.FromContext(ctx).Info("start-up taint removed", "node", name, "taint", key)
	return nil
}

type operation struct {
	Op    string         `json:"op"`
	Path  string         `json:"path"`
	Value []corev1.Taint `json:"value"`
}

// taintPatch is nil where there is nothing to take away. It tests the list that
// was seen, so that a taint which somebody adds meanwhile is not lost.
func taintPatch(taints []corev1.Taint, key string) ([]byte, error) {
	kept := slices.DeleteFunc(slices.Clone(taints), func(t corev1.Taint) bool { return t.Key == key })
	if len(kept) == len(taints) {
		return nil, nil
	}
	return json.Marshal([]operation{
		{Op: "test", Path: "/spec/taints", Value: taints},
		{Op: "replace", Path: "/spec/taints", Value: kept},
	})
}
