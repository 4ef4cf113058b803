package kube

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/pager"
)

// snapshotContents are the objects that name snapshots, of a CRD that need not be
// there.
var snapshotContents = schema.GroupVersionResource{Group: "snapshot.storage.k8s.io", Version: "v1", Resource: "volumesnapshotcontents"}

// Handles are the volumes and snapshots that the cluster's objects name, in any
// state.
type Handles struct {
	Volumes   []string
	Snapshots []string
	// NoSnapshots: the cluster has no such objects, so that nothing is known of
	// snapshots.
	NoSnapshots bool
}

// ReadHandles reads what PersistentVolumes and VolumeSnapshotContents of the driver
// name. The rights to list both are all that it needs.
func ReadHandles(ctx context.Context, client kubernetes.Interface, objects dynamic.Interface, driver string) (Handles, error) {
	var h Handles
	err := each(ctx, func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return client.CoreV1().PersistentVolumes().List(ctx, o)
	}, func(o runtime.Object) {
		if pv, ok := o.(*corev1.PersistentVolume); ok && pv.Spec.CSI != nil && pv.Spec.CSI.Driver == driver {
			h.Volumes = append(h.Volumes, pv.Spec.CSI.VolumeHandle)
		}
	})
	if err != nil {
		return h, fmt.Errorf("list persistentvolumes: %w", err)
	}
	err = each(ctx, func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return objects.Resource(snapshotContents).List(ctx, o)
	}, func(o runtime.Object) {
		if content, ok := o.(*unstructured.Unstructured); ok {
			h.Snapshots = append(h.Snapshots, snapshotHandles(content, driver)...)
		}
	})
	if apierrors.IsNotFound(err) {
		h.NoSnapshots, err = true, nil
	}
	if err != nil {
		return h, fmt.Errorf("list %s: %w", snapshotContents.GroupResource(), err)
	}
	return h, nil
}

// each visits the objects of a list, page by page.
func each(ctx context.Context, list pager.ListPageFunc, visit func(runtime.Object)) error {
	return pager.New(list).EachListItem(ctx, metav1.ListOptions{}, func(o runtime.Object) error {
		visit(o)
		return nil
	})
}

// snapshotHandles are those of a VolumeSnapshotContent: of a snapshot that was
// made, and of one that was there before.
func snapshotHandles(content *unstructured.Unstructured, driver string) []string {
	if name, _, err := unstructured.NestedString(content.Object, "spec", "driver"); err != nil || name != driver {
		return nil
	}
	var handles []string
	for _, path := range [][]string{{"status", "snapshotHandle"}, {"spec", "source", "snapshotHandle"}} {
		if handle, ok, err := unstructured.NestedString(content.Object, path...); err == nil && ok {
			handles = append(handles, handle)
		}
	}
	return handles
}
