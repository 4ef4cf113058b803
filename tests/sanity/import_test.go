package sanity

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/san-csi/san-csi/pkg/driver"
	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/san"
)

// legacy makes a volume as others do, and returns the handle that its administrator
// writes into a PersistentVolume.
func (s *stack) legacy(t *testing.T) string {
	t.Helper()
	var account struct{ AccountID int64 }
	byHand(t, s.array, "AddAccount", map[string]any{"username": "legacy"}, &account)
	var made struct{ VolumeID int64 }
	byHand(t, s.array, "CreateVolume", map[string]any{
		"name": "oracle-data", "accountID": account.AccountID, "totalSize": gib, "enable512e": true,
		"qos":        map[string]any{"minIOPS": 123, "maxIOPS": 4567, "burstIOPS": 8901},
		"attributes": map[string]any{"owner": "ops"},
	}, &made)
	id, err := s.fleet.Members()[0].Array.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s:%d", id.UniqueID, made.VolumeID)
}

// TestImport: a volume that others made is used by the handle of a static
// PersistentVolume. Its QoS stays until a VolumeAttributesClass says otherwise, its
// data is never formatted over, and a deletion leaves it in the recycle bin.
func TestImport(t *testing.T) {
	array := startArray(t)
	s := startWith(t, array, "east", placement.Budget{CapacityIOPS: 1000})
	west := startWith(t, array, "west", placement.Budget{CapacityIOPS: 1000})
	c := csi.NewControllerClient(s.conn)
	id := s.legacy(t)
	untouched := func(when string, want element.QoS) {
		t.Helper()
		v := s.volume(t, id)
		if v.QoS != want || string(v.Attributes["owner"]) != `"ops"` || v.Name != "oracle-data" {
			t.Errorf("%s: %+v, want %+v and what others wrote", when, v, want)
		}
	}
	got, err := c.ControllerGetVolume(t.Context(), &csi.ControllerGetVolumeRequest{VolumeId: id})
	check(t, err, codes.OK)
	if got.GetVolume().GetCapacityBytes() != gib {
		t.Errorf("volume %v", got)
	}
	grant, err := c.ControllerPublishVolume(t.Context(), &csi.ControllerPublishVolumeRequest{
		VolumeId: id, NodeId: node, VolumeCapability: filesystemCapability()})
	check(t, err, codes.OK)
	if context := grant.GetPublishContext(); context["naa"] != strings.ToLower(s.volume(t, id).NAA) || context["blank"] == "true" {
		t.Errorf("publish context %v: must name the volume, and not let it be formatted", context)
	}
	before := qosOf(123, 4567, 8901)
	untouched("published", before)
	_, err = csi.NewControllerClient(west.conn).ControllerPublishVolume(t.Context(), &csi.ControllerPublishVolumeRequest{
		VolumeId: id, NodeId: node, VolumeCapability: filesystemCapability()})
	check(t, err, codes.FailedPrecondition, `"east"`, `"west"`)

	_, err = c.ControllerExpandVolume(t.Context(), &csi.ControllerExpandVolumeRequest{VolumeId: id, CapacityRange: &csi.CapacityRange{RequiredBytes: 2 * gib}})
	check(t, err, codes.OK)
	untouched("grown", before)
	check(t, s.modify(t, id, "maxIOPS", "2000"), codes.OK)
	untouched("modified", qosOf(123, 2000, 8901))
	check(t, s.modify(t, id, "minIOPS", "1001"), codes.ResourceExhausted, "1000 IOPS")

	_, err = c.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: id})
	check(t, err, codes.FailedPrecondition, "granted")
	_, err = c.ControllerUnpublishVolume(t.Context(), &csi.ControllerUnpublishVolumeRequest{VolumeId: id, NodeId: node})
	check(t, err, codes.OK)
	for range 2 {
		_, err = c.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: id})
		check(t, err, codes.OK)
	}
	if v := s.volume(t, id); v.Status != element.StatusDeleted {
		t.Errorf("the volume is %q, want it in the recycle bin", v.Status)
	}
}

// TestImportPage: the objects of docs/import.md are what Kubernetes takes.
func TestImportPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/import.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 1 {
		t.Fatalf("%d blocks of YAML, want 1", len(blocks))
	}
	documents := strings.Split(blocks[0][1], "---\n")
	var pv corev1.PersistentVolume
	var claim corev1.PersistentVolumeClaim
	for i, object := range []any{&pv, &claim} {
		if err := yaml.UnmarshalStrict([]byte(documents[i]), object); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := san.ParseHandle(pv.Spec.CSI.VolumeHandle); err != nil || pv.Spec.CSI.Driver != driver.Name ||
		pv.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimRetain || claim.Spec.VolumeName != pv.Name ||
		*claim.Spec.StorageClassName != pv.Spec.StorageClassName {
		t.Errorf("%+v, %+v, %v", pv, claim, err)
	}
}

// TestClustersOnOneAccount: what one cluster made, the other one neither sees nor
// touches, by any call; nor does what it does by itself.
func TestClustersOnOneAccount(t *testing.T) {
	array := startArray(t)
	east, west := startWith(t, array, "east", placement.Budget{}), startWith(t, array, "west", placement.Budget{})
	made, err := west.create(t.Context(), "pvc-1")
	check(t, err, codes.OK)
	id := made.GetVolumeId()
	kept, err := csi.NewControllerClient(west.conn).CreateSnapshot(t.Context(), &csi.CreateSnapshotRequest{Name: "snap-1", SourceVolumeId: id})
	check(t, err, codes.OK)
	before := west.volume(t, id)

	c := csi.NewControllerClient(east.conn)
	for name, call := range map[string]func() error{
		"a volume of that name": func() error { _, err := east.create(t.Context(), "pvc-1"); return err },
		"get": func() error {
			_, err := c.ControllerGetVolume(t.Context(), &csi.ControllerGetVolumeRequest{VolumeId: id})
			return err
		},
		"publish": func() error {
			_, err := c.ControllerPublishVolume(t.Context(), &csi.ControllerPublishVolumeRequest{VolumeId: id, NodeId: node, VolumeCapability: filesystemCapability()})
			return err
		},
		"unpublish": func() error {
			_, err := c.ControllerUnpublishVolume(t.Context(), &csi.ControllerUnpublishVolumeRequest{VolumeId: id, NodeId: node})
			return err
		},
		"modify": func() error { return east.modify(t, id, "maxIOPS", "1000") },
		"expand": func() error {
			_, err := c.ControllerExpandVolume(t.Context(), &csi.ControllerExpandVolumeRequest{VolumeId: id, CapacityRange: &csi.CapacityRange{RequiredBytes: 2 * gib}})
			return err
		},
		"snapshot": func() error {
			_, err := c.CreateSnapshot(t.Context(), &csi.CreateSnapshotRequest{Name: "snap-2", SourceVolumeId: id})
			return err
		},
		"clone": func() error {
			_, err := c.CreateVolume(t.Context(), wanted(func(r *csi.CreateVolumeRequest) {
				r.Name = "pvc-clone"
				r.VolumeContentSource = &csi.VolumeContentSource{Type: &csi.VolumeContentSource_Volume{Volume: &csi.VolumeContentSource_VolumeSource{VolumeId: id}}}
			}))
			return err
		},
		"delete the snapshot": func() error {
			_, err := c.DeleteSnapshot(t.Context(), &csi.DeleteSnapshotRequest{SnapshotId: kept.GetSnapshot().GetSnapshotId()})
			return err
		},
		"delete": func() error {
			_, err := c.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: id})
			return err
		},
	} {
		want := codes.FailedPrecondition
		if name == "a volume of that name" {
			want = codes.AlreadyExists
		}
		t.Run(name, func(t *testing.T) { check(t, call(), want, `"west"`, `"east"`) })
	}
	if err := east.fleet.Members()[0].Array.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	volumes, err := c.ListVolumes(t.Context(), &csi.ListVolumesRequest{})
	check(t, err, codes.OK)
	snapshots, err := c.ListSnapshots(t.Context(), &csi.ListSnapshotsRequest{})
	check(t, err, codes.OK)
	if len(volumes.GetEntries())+len(snapshots.GetEntries()) != 0 {
		t.Errorf("east lists %v, %v", volumes, snapshots)
	}
	if now := west.volume(t, id); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Errorf("it was %+v and is %+v", before, now)
	}
	if left, err := csi.NewControllerClient(west.conn).ListSnapshots(t.Context(), &csi.ListSnapshotsRequest{}); err != nil || len(left.GetEntries()) != 1 {
		t.Errorf("west lists %v, %v", left, err)
	}
}
