package sanity

import (
	"fmt"
	"slices"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/placement"
)

func fromSnapshot(id string) *csi.VolumeContentSource {
	return &csi.VolumeContentSource{Type: &csi.VolumeContentSource_Snapshot{Snapshot: &csi.VolumeContentSource_SnapshotSource{SnapshotId: id}}}
}

func fromVolume(id string) *csi.VolumeContentSource {
	return &csi.VolumeContentSource{Type: &csi.VolumeContentSource_Volume{Volume: &csi.VolumeContentSource_VolumeSource{VolumeId: id}}}
}

func (s *stack) make(t *testing.T, name string, change func(*csi.CreateVolumeRequest)) (*csi.Volume, error) {
	t.Helper()
	resp, err := csi.NewControllerClient(s.conn).CreateVolume(t.Context(), wanted(func(r *csi.CreateVolumeRequest) {
		r.Name = name
		change(r)
	}))
	return resp.GetVolume(), err
}

func (s *stack) delete(t *testing.T, id string) error {
	t.Helper()
	_, err := csi.NewControllerClient(s.conn).DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: id})
	return err
}

// TestSnapshotsAndClones is the life of a snapshot, of what is restored of it
// and of a clone, with deletions in an order that CSI allows.
func TestSnapshotsAndClones(t *testing.T) {
	s := start(t)
	c := csi.NewControllerClient(s.conn)
	v, err := s.make(t, "pvc-1", func(*csi.CreateVolumeRequest) {})
	check(t, err, codes.OK)
	kept, err := c.CreateSnapshot(t.Context(), &csi.CreateSnapshotRequest{Name: "snap-1", SourceVolumeId: v.GetVolumeId(),
		Parameters: map[string]string{"csi.storage.k8s.io/volumesnapshot/name": "s"}})
	check(t, err, codes.OK)
	snap := kept.GetSnapshot()
	if !snap.GetReadyToUse() || snap.GetSizeBytes() != gib || snap.GetSourceVolumeId() != v.GetVolumeId() {
		t.Errorf("snapshot %v", snap)
	}
	_, err = c.CreateSnapshot(t.Context(), &csi.CreateSnapshotRequest{Name: "snap-2", SourceVolumeId: v.GetVolumeId(), Parameters: map[string]string{"minIOPS": "50"}})
	check(t, err, codes.InvalidArgument, "minIOPS")
	check(t, s.delete(t, v.GetVolumeId()), codes.FailedPrecondition, "snapshot")

	for name, tc := range map[string]struct {
		source *csi.VolumeContentSource
		size   int64
		limit  int64
		code   codes.Code
	}{
		"restored larger":         {fromSnapshot(snap.GetSnapshotId()), 3 * gib, 0, codes.OK},
		"cloned":                  {fromVolume(v.GetVolumeId()), gib, gib, codes.OK},
		"smaller than the source": {fromVolume(v.GetVolumeId()), 0, gib - 1, codes.OutOfRange},
		"of no snapshot":          {fromSnapshot("snap-1"), gib, 0, codes.NotFound},
		"of nothing":              {fromSnapshot(""), gib, 0, codes.InvalidArgument},
		"of a source of no kind":  {&csi.VolumeContentSource{}, gib, 0, codes.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			made, err := s.make(t, name, func(r *csi.CreateVolumeRequest) {
				sized(tc.size, tc.limit)(r)
				r.VolumeContentSource = tc.source
				r.Parameters["maxIOPS"] = "700"
			})
			check(t, err, tc.code)
			if err != nil {
				return
			}
			if made.GetCapacityBytes() != tc.size || made.GetContentSource().String() != tc.source.String() {
				t.Errorf("made %v", made)
			}
			granted, err := c.ControllerPublishVolume(t.Context(), &csi.ControllerPublishVolumeRequest{
				VolumeId: made.GetVolumeId(), NodeId: node, VolumeCapability: filesystemCapability()})
			check(t, err, codes.OK)
			if p := granted.GetPublishContext(); p["blank"] != "false" || p["clone"] != "true" {
				t.Errorf("publish context %v", p)
			}
			_, err = c.ControllerUnpublishVolume(t.Context(), &csi.ControllerUnpublishVolumeRequest{VolumeId: made.GetVolumeId(), NodeId: node})
			check(t, err, codes.OK)
			check(t, s.delete(t, made.GetVolumeId()), codes.OK)
		})
	}
	other, err := s.make(t, "other", func(r *csi.CreateVolumeRequest) { r.VolumeContentSource = fromVolume(v.GetVolumeId()) })
	check(t, err, codes.OK)
	_, err = s.make(t, "other", func(r *csi.CreateVolumeRequest) { r.VolumeContentSource = fromSnapshot(snap.GetSnapshotId()) })
	check(t, err, codes.AlreadyExists, "other", "snapshot")
	_, err = c.DeleteSnapshot(t.Context(), &csi.DeleteSnapshotRequest{SnapshotId: snap.GetSnapshotId()})
	check(t, err, codes.OK)
	check(t, s.delete(t, v.GetVolumeId()), codes.OK)
	_, err = s.make(t, "late", func(r *csi.CreateVolumeRequest) { r.VolumeContentSource = fromVolume(v.GetVolumeId()) })
	check(t, err, codes.NotFound)
	check(t, s.delete(t, other.GetVolumeId()), codes.OK)
	s.checkNothingLeft(t)
}

// TestGroupSnapshots is the life of a group of snapshots.
func TestGroupSnapshots(t *testing.T) {
	s := start(t)
	c, g := csi.NewControllerClient(s.conn), csi.NewGroupControllerClient(s.conn)
	var ids []string
	for i := range 2 {
		v, err := s.make(t, fmt.Sprintf("pvc-%d", i), func(*csi.CreateVolumeRequest) {})
		check(t, err, codes.OK)
		ids = append(ids, v.GetVolumeId())
	}
	create := func(name string, volumes ...string) (*csi.VolumeGroupSnapshot, error) {
		resp, err := g.CreateVolumeGroupSnapshot(t.Context(), &csi.CreateVolumeGroupSnapshotRequest{Name: name, SourceVolumeIds: volumes})
		return resp.GetGroupSnapshot(), err
	}
	made, err := create("group-1", ids...)
	check(t, err, codes.OK)
	var members []string
	for _, m := range made.GetSnapshots() {
		if m.GetGroupSnapshotId() != made.GetGroupSnapshotId() || !slices.Contains(ids, m.GetSourceVolumeId()) {
			t.Errorf("member %v of %v", m, made)
		}
		members = append(members, m.GetSnapshotId())
	}
	if len(members) != 2 || !made.GetReadyToUse() || made.GetCreationTime() == nil {
		t.Fatalf("made %v", made)
	}
	again, err := create("group-1", ids[1], ids[0])
	check(t, err, codes.OK)
	if again.GetGroupSnapshotId() != made.GetGroupSnapshotId() {
		t.Errorf("the name gives %v, then %v", made, again)
	}
	_, err = create("group-1", ids[0])
	check(t, err, codes.AlreadyExists, "group-1")
	_, err = create("group-2", slices.Repeat(ids[:1], 33)...)
	check(t, err, codes.InvalidArgument, "33", "32")
	_, err = create("group-2")
	check(t, err, codes.InvalidArgument, "source_volume_ids")
	_, err = create("group-2", ids[0], "vol-1")
	check(t, err, codes.NotFound, "vol-1")
	_, err = c.DeleteSnapshot(t.Context(), &csi.DeleteSnapshotRequest{SnapshotId: members[0]})
	check(t, err, codes.InvalidArgument, "member")
	listed, err := c.ListSnapshots(t.Context(), &csi.ListSnapshotsRequest{})
	check(t, err, codes.OK)
	if len(listed.GetEntries()) != 2 {
		t.Errorf("listed %v", listed)
	}
	restored, err := s.make(t, "restored", func(r *csi.CreateVolumeRequest) { r.VolumeContentSource = fromSnapshot(members[1]) })
	check(t, err, codes.OK)
	_, err = g.GetVolumeGroupSnapshot(t.Context(), &csi.GetVolumeGroupSnapshotRequest{GroupSnapshotId: made.GetGroupSnapshotId(), SnapshotIds: members[:1]})
	check(t, err, codes.InvalidArgument)
	remove := func(members []string) error {
		_, err := g.DeleteVolumeGroupSnapshot(t.Context(), &csi.DeleteVolumeGroupSnapshotRequest{GroupSnapshotId: made.GetGroupSnapshotId(), SnapshotIds: members})
		return err
	}
	check(t, remove(members[:1]), codes.InvalidArgument)
	for range 2 {
		check(t, remove(members), codes.OK)
	}
	for _, id := range append(ids, restored.GetVolumeId()) {
		check(t, s.delete(t, id), codes.OK)
	}
	s.checkNothingLeft(t)
}

// TestBudgetOfClones: a clone is admitted at the larger of its source's floor
// and its class's, and holds its class's once it is made.
func TestBudgetOfClones(t *testing.T) {
	s := startWith(t, startArray(t), "test", placement.Budget{CapacityIOPS: 2*classFloor + 50})
	v, err := s.create(t.Context(), "pvc-1")
	check(t, err, codes.OK)
	clone := func(name, floor string) error {
		_, err := s.make(t, name, func(r *csi.CreateVolumeRequest) {
			r.VolumeContentSource = fromVolume(v.GetVolumeId())
			r.Parameters = map[string]string{"minIOPS": floor, "maxIOPS": "5000"}
		})
		return err
	}
	check(t, clone("clone-1", "551"), codes.ResourceExhausted, "551 IOPS", "500 of 1050 IOPS")
	check(t, clone("clone-1", "50"), codes.OK)
	s.checkLedger(t, "after a clone", 2)
	check(t, clone("clone-2", "50"), codes.OK)
	s.checkLedger(t, "after the second clone", 3)
	check(t, clone("clone-3", "50"), codes.ResourceExhausted, "500 IOPS", "600 of 1050 IOPS")
	check(t, clone("clone-1", "50"), codes.OK)
	client, err := element.New(s.array)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	volumes, err := client.ListVolumes(t.Context(), element.ListVolumesRequest{VolumeName: "clone-1"})
	if err != nil || len(volumes) != 1 || volumes[0].QoS.MinIOPS != 50 || volumes[0].QoS.MaxIOPS != 5000 {
		t.Errorf("on the array: %+v, %v", volumes, err)
	}
}
