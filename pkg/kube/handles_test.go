package kube

import (
	"reflect"
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

func groupContent(name string, spec, status map[string]any) *unstructured.Unstructured {
	c := content(name, spec, status)
	c.SetAPIVersion("groupsnapshot.storage.k8s.io/v1")
	c.SetKind("VolumeGroupSnapshotContent")
	return c
}

func TestReadHandles(t *testing.T) {
	client := fake.NewClientset(pv("a", testDriver, "3eeu:1:0a1b2c3d"), pv("b", testDriver, "3eeu:2"), pv("c", "other.io", "3eeu:3"),
		&corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "local"}})
	kinds := map[schema.GroupVersionResource]string{snapshotContents: "VolumeSnapshotContentList", groupContents: "VolumeGroupSnapshotContentList"}
	objects := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds,
		content("made", map[string]any{"driver": testDriver, "source": map[string]any{"volumeHandle": "3eeu:1:0a1b2c3d"}}, map[string]any{"snapshotHandle": "3eeu:7:0a1b2c3d"}),
		content("there-before", map[string]any{"driver": testDriver, "source": map[string]any{"snapshotHandle": "3eeu:8"}}, map[string]any{}),
		content("other", map[string]any{"driver": "other.io"}, map[string]any{"snapshotHandle": "3eeu:9"}),
		groupContent("made", map[string]any{"driver": testDriver}, map[string]any{"volumeGroupSnapshotHandle": "3eeu:4:0a1b2c3d"}),
		groupContent("there-before", map[string]any{"driver": testDriver, "source": map[string]any{"groupSnapshotHandles": map[string]any{"volumeGroupSnapshotHandle": "3eeu:5"}}}, map[string]any{}),
		groupContent("other", map[string]any{"driver": "other.io"}, map[string]any{"volumeGroupSnapshotHandle": "3eeu:6"}),
	)
	h, err := ReadHandles(t.Context(), client, objects, testDriver)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(h.Volumes)
	slices.Sort(h.Snapshots)
	slices.Sort(h.Groups)
	want := Handles{
		Volumes: []string{"3eeu:1:0a1b2c3d", "3eeu:2"}, Snapshots: []string{"3eeu:7:0a1b2c3d", "3eeu:8"}, Groups: []string{"3eeu:4:0a1b2c3d", "3eeu:5"},
	}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("handles %+v, want %+v", h, want)
	}
}

// TestReadHandlesUnknown: nil is not known, which is not none.
func TestReadHandlesUnknown(t *testing.T) {
	notFound := func(r schema.GroupVersionResource) error { return apierrors.NewNotFound(r.GroupResource(), "") }
	forbidden := func(r schema.GroupVersionResource) error { return apierrors.NewForbidden(r.GroupResource(), "", nil) }
	for name, tc := range map[string]struct {
		resource          schema.GroupVersionResource
		err               error
		snapshots, groups bool // are known
		fails             bool
	}{
		"no such kind of object": {snapshotContents, notFound(snapshotContents), false, true, false},
		"not allowed":            {snapshotContents, forbidden(snapshotContents), false, false, true},
		"no groups":              {groupContents, notFound(groupContents), true, false, false},
		"groups are not allowed": {groupContents, forbidden(groupContents), true, false, true},
	} {
		kinds := map[schema.GroupVersionResource]string{snapshotContents: "VolumeSnapshotContentList", groupContents: "VolumeGroupSnapshotContentList"}
		objects := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds)
		objects.PrependReactor("list", tc.resource.Resource, func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, tc.err })
		h, err := ReadHandles(t.Context(), fake.NewClientset(), objects, testDriver)
		if (err != nil) != tc.fails || (h.Snapshots != nil) != tc.snapshots || (h.Groups != nil) != tc.groups {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
}
