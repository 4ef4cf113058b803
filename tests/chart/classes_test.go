//go:build chart

package chart

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/san-csi/san-csi/pkg/config"
	"github.com/san-csi/san-csi/pkg/driver"
	"github.com/san-csi/san-csi/tests/chart/helm"
)

func TestCSIDriver(t *testing.T) {
	d := one[*storagev1.CSIDriver](t, render(t, "secret"), driver.Name).Spec
	if *d.PodInfoOnMount || *d.RequiresRepublish || !slices.Equal(d.VolumeLifecycleModes, []storagev1.VolumeLifecycleMode{storagev1.VolumeLifecyclePersistent}) {
		t.Errorf("CSIDriver %+v", d)
	}
	if s := d.NodeAllocatableUpdatePeriodSeconds; s == nil || *s != 300 {
		t.Errorf("the volumes that a node takes are asked for each %v seconds", s)
	}
	m := render(t, "secret", `csiDriver={"seLinuxMount":false,"storageCapacity":false,"nodeAllocatableUpdatePeriodSeconds":0}`)
	if d := one[*storagev1.CSIDriver](t, m, driver.Name).Spec; *d.SELinuxMount || *d.StorageCapacity || d.NodeAllocatableUpdatePeriodSeconds != nil {
		t.Errorf("all is off: %+v", d)
	}
}

// TestClasses: what the values leave out has the defaults of this driver, and what
// they say is there.
func TestClasses(t *testing.T) {
	m := render(t, "full")
	gold, keep := one[*storagev1.StorageClass](t, m, "san-gold"), one[*storagev1.StorageClass](t, m, "san-keep")
	if gold.Provisioner != driver.Name || *gold.ReclaimPolicy != "Delete" || *gold.VolumeBindingMode != storagev1.VolumeBindingWaitForFirstConsumer || !*gold.AllowVolumeExpansion {
		t.Errorf("defaults: %+v", gold)
	}
	if gold.Annotations["storageclass.kubernetes.io/is-default-class"] != "true" || len(keep.Annotations) != 0 {
		t.Errorf("annotations %v and %v", gold.Annotations, keep.Annotations)
	}
	if *keep.ReclaimPolicy != "Retain" || *keep.VolumeBindingMode != storagev1.VolumeBindingImmediate || !slices.Equal(keep.MountOptions, []string{"noatime"}) {
		t.Errorf("settings: %+v", keep)
	}
	silver := one[*storagev1.VolumeAttributesClass](t, m, "san-silver")
	if silver.DriverName != driver.Name || !maps.Equal(silver.Parameters, map[string]string{"minIOPS": "100", "maxIOPS": "500"}) {
		t.Errorf("attributes class %+v", silver)
	}
	for _, o := range all[*unstructured.Unstructured](m) {
		if o.GetKind() == "VolumeSnapshotClass" && (o.Object["driver"] != driver.Name || o.Object["deletionPolicy"] != "Retain") {
			t.Errorf("snapshot class %v", o.Object)
		}
	}
}

// TestArraySettings: the schema has every key that the driver reads, and no other
// but caCert, from which the chart makes a file.
func TestArraySettings(t *testing.T) {
	root, err := helm.Root()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(root, helm.Chart, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Definitions struct {
			Array struct{ Properties map[string]any }
		}
	}
	if err := json.Unmarshal(content, &schema); err != nil {
		t.Fatal(err)
	}
	want := []string{"caCert"}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[config.Array]()) {
		if key, _, _ := strings.Cut(field.Tag.Get("json"), ","); key != "" && key != "-" {
			want = append(want, key)
		}
	}
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(schema.Definitions.Array.Properties)); !slices.Equal(got, want) {
		t.Errorf("the schema of an array has %v\nthe driver reads %v", got, want)
	}
}
