package kube

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

const testDriver = "san-csi.io"

func pv(name, driver, handle string) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PersistentVolumeSpec{
		PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: driver, VolumeHandle: handle}}}}
}

func content(name string, spec, status map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent",
		"metadata": map[string]any{"name": name}, "spec": spec, "status": status,
	}}
}

func TestReadHandles(t *testing.T) {
	client := fake.NewClientset(pv("a", testDriver, "3eeu:1:0a1b2c3d"), pv("b", testDriver, "3eeu:2"), pv("c", "other.io", "3eeu:3"),
		&corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "local"}})
	kinds := map[schema.GroupVersionResource]string{snapshotContents: "VolumeSnapshotContentList"}
	objects := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds,
		content("made", map[string]any{"driver": testDriver, "source": map[string]any{"volumeHandle": "3eeu:1:0a1b2c3d"}}, map[string]any{"snapshotHandle": "3eeu:7:0a1b2c3d"}),
		content("there-before", map[string]any{"driver": testDriver, "source": map[string]any{"snapshotHandle": "3eeu:8"}}, map[string]any{}),
		content("other", map[string]any{"driver": "other.io"}, map[string]any{"snapshotHandle": "3eeu:9"}),
	)
	h, err := ReadHandles(t.Context(), client, objects, testDriver)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(h.Volumes)
	slices.Sort(h.Snapshots)
	if !slices.Equal(h.Volumes, []string{"3eeu:1:0a1b2c3d", "3eeu:2"}) || !slices.Equal(h.Snapshots, []string{"3eeu:7:0a1b2c3d", "3eeu:8"}) || h.NoSnapshots {
		t.Errorf("handles %+v", h)
	}

	for name, tc := range map[string]struct {
		err    error
		absent bool
	}{
		"no such kind of object": {apierrors.NewNotFound(snapshotContents.GroupResource(), ""), true},
		"not allowed":            {apierrors.NewForbidden(snapshotContents.GroupResource(), "", nil), false},
	} {
		objects.PrependReactor("list", "*", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, tc.err })
		if h, err := ReadHandles(t.Context(), client, objects, testDriver); h.NoSnapshots != tc.absent || (err == nil) != tc.absent {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
}
