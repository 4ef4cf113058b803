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

// The objects that name snapshots, and groups of them: of CRDs that need not be there.
var (
	snapshotContents = schema.GroupVersionResource{Group: "snapshot.storage.k8s.io", Version: "v1", Resource: "volumesnapshotcontents"}
	groupContents    = schema.GroupVersionResource{Group: "groupsnapshot.storage.k8s.io", Version: "v1", Resource: "volumegroupsnapshotcontents"}
)

// Where such objects name one: that was made, and that was there before.
var (
	snapshotPaths = [][]string{{"status", "snapshotHandle"}, {"spec", "source", "snapshotHandle"}}
	groupPaths    = [][]string{{"status", "volumeGroupSnapshotHandle"}, {"spec", "source", "groupSnapshotHandles", "volumeGroupSnapshotHandle"}}
)

// Handles are the volumes, snapshots and groups of snapshots that the cluster's objects
// name, in any state. Snapshots or Groups is nil where the cluster has no such objects:
// then nothing is known of them.
type Handles struct {
	Volumes, Snapshots, Groups []string
}

// ReadHandles reads what PersistentVolumes, VolumeSnapshotContents and
// VolumeGroupSnapshotContents of the driver name. The rights to list them are all that
// it needs.
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
	if h.Snapshots, err = contents(ctx, objects.Resource(snapshotContents), snapshotPaths, driver); err != nil && !apierrors.IsNotFound(err) {
		return h, fmt.Errorf("list %s: %w", snapshotContents.GroupResource(), err)
	}
	if h.Groups, err = contents(ctx, objects.Resource(groupContents), groupPaths, driver); err != nil && !apierrors.IsNotFound(err) {
		return h, fmt.Errorf("list %s: %w", groupContents.GroupResource(), err)
	}
	return h, nil
}

// contents are the handles that the driver's objects of a kind name; nil with an error.
func contents(ctx context.Context, kind dynamic.ResourceInterface, paths [][]string, driver string) ([]string, error) {
	handles := []string{}
	err := each(ctx, func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return kind.List(ctx, o)
	}, func(o runtime.Object) {
		if content, ok := o.(*unstructured.Unstructured); ok {
			handles = append(handles, handlesOf(content, paths, driver)...)
		}
	})
	if err != nil {
		return nil, err
	}
	return handles, nil
}

// each visits the objects of a list, page by page.
func each(ctx context.Context, list pager.ListPageFunc, visit func(runtime.Object)) error {
	return pager.New(list).EachListItem(ctx, metav1.ListOptions{}, func(o runtime.Object) error {
		visit(o)
		return nil
	})
}

func handlesOf(content *unstructured.Unstructured, paths [][]string, driver string) []string {
	if name, _, err := unstructured.NestedString(content.Object, "spec", "driver"); err != nil || name != driver {
		return nil
	}
	var handles []string
	for _, path := range paths {
		if handle, ok, err := unstructured.NestedString(content.Object, path...); err == nil && ok {
			handles = append(handles, handle)
		}
	}
	return handles
}
