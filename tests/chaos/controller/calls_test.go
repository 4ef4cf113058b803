package controller

import (
	"context"
	"fmt"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"

	"github.com/san-csi/san-csi/pkg/san"
)

// nodes are where volumes are published to.
const nodes = 4

// nodeID is the n-th node's.
func nodeID(t *testing.T, n int) string {
	t.Helper()
	node, err := san.NewNode(fmt.Sprintf("iqn.2026-01.io.san-csi.chaos:node-%d", n), fmt.Sprintf("node-%d", n))
	if err != nil {
		t.Fatal(err)
	}
	return node.String()
}

func capability() *csi.VolumeCapability {
	return &csi.VolumeCapability{
		AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER},
		AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{FsType: "ext4"}},
	}
}

func (k *worker) floor() int64 { return 50 + 50*int64(k.random.IntN(10)) }

// sourceSize is the size of a source, bytes, 0 = of nothing.
func (k *worker) sourceSize(s *csi.VolumeContentSource) int64 {
	for _, v := range k.volumes {
		if v.id == s.GetVolume().GetVolumeId() {
			return v.size
		}
	}
	if s != nil {
		return 4 * gib // of a snapshot: no volume of the load grows past it
	}
	return 0
}

func (k *worker) create(t *testing.T, source *csi.VolumeContentSource) {
	name, floor := k.name("pvc"), k.floor()
	size := larger(k.random, k.sourceSize(source))
	if size > 4*gib {
		size = 4 * gib
	}
	var made *csi.Volume
	code := k.call(t, "create "+name, k.creation(name, size, floor, source, &made), codes.ResourceExhausted)
	if code != codes.OK {
		k.full++
		return
	}
	k.volumes[name] = &volume{id: made.GetVolumeId(), size: made.GetCapacityBytes(), floor: floor}
}

// creation is the call that makes a volume.
func (k *worker) creation(name string, size, floor int64, source *csi.VolumeContentSource, made **csi.Volume) func(context.Context) error {
	return func(ctx context.Context) error {
		resp, err := k.w.volumes.CreateVolume(ctx, &csi.CreateVolumeRequest{
			Name: name, CapacityRange: &csi.CapacityRange{RequiredBytes: size}, VolumeContentSource: source,
			VolumeCapabilities: []*csi.VolumeCapability{capability()},
			Parameters:         map[string]string{"minIOPS": fmt.Sprint(floor), "maxIOPS": "15000", "csi.storage.k8s.io/pvc/name": name},
		})
		*made = resp.GetVolume()
		return err
	}
}

func (k *worker) modify(t *testing.T, name string) {
	v, floor := k.volumes[name], k.floor()
	code := k.call(t, "modify "+name, func(ctx context.Context) error {
		_, err := k.w.volumes.ControllerModifyVolume(ctx, &csi.ControllerModifyVolumeRequest{
			VolumeId: v.id, MutableParameters: map[string]string{"minIOPS": fmt.Sprint(floor)}})
		return err
	}, codes.ResourceExhausted)
	if code == codes.OK {
		v.floor = floor
	}
}

func (k *worker) publish(t *testing.T, name string) {
	v := k.volumes[name]
	id := v.node
	if id == "" {
		id = nodeID(t, k.random.IntN(nodes))
	}
	code := k.call(t, "publish "+name, func(ctx context.Context) error {
		resp, err := k.w.volumes.ControllerPublishVolume(ctx, &csi.ControllerPublishVolumeRequest{
			VolumeId: v.id, NodeId: id, VolumeCapability: capability()})
		k.w.hear(resp.GetPublishContext())
		return err
	})
	if code == codes.OK {
		v.node = id
	}
}

func (k *worker) unpublish(t *testing.T, name string) {
	v := k.volumes[name]
	code := k.call(t, "unpublish "+name, func(ctx context.Context) error {
		_, err := k.w.volumes.ControllerUnpublishVolume(ctx, &csi.ControllerUnpublishVolumeRequest{VolumeId: v.id, NodeId: v.node})
		return err
	})
	if code == codes.OK {
		v.node = ""
	}
}

// remove deletes a volume. One that is published or has snapshots must stay.
func (k *worker) remove(t *testing.T, name string) {
	v := k.volumes[name]
	want := codes.OK
	if v.node != "" || v.copies > 0 {
		want = codes.FailedPrecondition
	}
	code := k.call(t, "delete "+name, func(ctx context.Context) error {
		_, err := k.w.volumes.DeleteVolume(ctx, &csi.DeleteVolumeRequest{VolumeId: v.id})
		return err
	}, want)
	if code != want {
		t.Errorf("delete %s, published to %q, with %d snapshots: %s; want %s", name, v.node, v.copies, code, want)
	}
	if code == codes.OK {
		delete(k.volumes, name)
	}
}

func (k *worker) keep(t *testing.T, of string) {
	name, v := k.name("snap"), k.volumes[of]
	if v.copies >= 8 {
		return
	}
	var made *csi.Snapshot
	code := k.call(t, "snapshot "+name, func(ctx context.Context) error {
		resp, err := k.w.volumes.CreateSnapshot(ctx, &csi.CreateSnapshotRequest{Name: name, SourceVolumeId: v.id})
		made = resp.GetSnapshot()
		return err
	})
	if code == codes.OK {
		k.snapshots[name] = &snapshot{made.GetSnapshotId(), []string{of}}
		v.copies++
	}
}

func (k *worker) keepAll(t *testing.T) {
	name := k.name("group")
	var ids, members []string
	for of, v := range k.volumes {
		if v.copies < 8 && len(ids) < 4 {
			ids, members = append(ids, v.id), append(members, of)
		}
	}
	if len(ids) == 0 {
		return
	}
	var made *csi.VolumeGroupSnapshot
	code := k.call(t, "group "+name, func(ctx context.Context) error {
		resp, err := k.w.groups.CreateVolumeGroupSnapshot(ctx, &csi.CreateVolumeGroupSnapshotRequest{Name: name, SourceVolumeIds: ids})
		made = resp.GetGroupSnapshot()
		return err
	})
	if code != codes.OK {
		return
	}
	if len(made.GetSnapshots()) != len(ids) {
		t.Errorf("group %s of %d volumes has %d snapshots", name, len(ids), len(made.GetSnapshots()))
	}
	k.groups[name] = &snapshot{made.GetGroupSnapshotId(), members}
	for _, of := range members {
		k.volumes[of].copies++
	}
}

func (k *worker) deleteSnapshot(t *testing.T, name string) {
	s := k.snapshots[name]
	code := k.call(t, "delete "+name, func(ctx context.Context) error {
		_, err := k.w.volumes.DeleteSnapshot(ctx, &csi.DeleteSnapshotRequest{SnapshotId: s.id})
		return err
	})
	if code == codes.OK {
		delete(k.snapshots, name)
		k.volumes[s.members[0]].copies--
	}
}

func (k *worker) deleteGroup(t *testing.T, name string) {
	g := k.groups[name]
	code := k.call(t, "delete "+name, func(ctx context.Context) error {
		_, err := k.w.groups.DeleteVolumeGroupSnapshot(ctx, &csi.DeleteVolumeGroupSnapshotRequest{GroupSnapshotId: g.id})
		return err
	})
	if code == codes.OK {
		delete(k.groups, name)
		for _, of := range g.members {
			k.volumes[of].copies--
		}
	}
}
