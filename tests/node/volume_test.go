//go:build guest

package node

import (
	"context"
	"maps"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	gib     = 1 << 30
	kubelet = "/var/lib/kubelet"
	// patience is the caller's deadline for one call.
	patience = 2 * time.Minute
)

// volume is one volume on its way through the driver's calls.
type volume struct {
	b          *bench
	name       string
	parameters map[string]string // of the class, besides the IOPS
	capability *csi.VolumeCapability
	bytes      int64
	source     *csi.VolumeContentSource

	nodes   *bench // where the node's calls go; b where it is nil
	id      string
	context map[string]string
	grant   map[string]string
	staging string
	target  string
}

func mounted(fsType string, flags ...string) *csi.VolumeCapability {
	return &csi.VolumeCapability{
		AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_MULTI_WRITER},
		AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{FsType: fsType, MountFlags: flags}},
	}
}

func raw() *csi.VolumeCapability {
	return &csi.VolumeCapability{
		AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_MULTI_WRITER},
		AccessType: &csi.VolumeCapability_Block{Block: &csi.VolumeCapability_BlockVolume{}},
	}
}

// volume makes a volume and grants it to the node. It is undone at the end of
// the test, whatever was done with it.
func (b *bench) volume(t *testing.T, name string, c *csi.VolumeCapability, parameters map[string]string) *volume {
	t.Helper()
	return b.volumeOf(t, name, gib, c, parameters, nil)
}

func (b *bench) volumeOf(t *testing.T, name string, bytes int64, c *csi.VolumeCapability, parameters map[string]string, source *csi.VolumeContentSource) *volume {
	t.Helper()
	v := &volume{
		b: b, name: name, parameters: parameters, capability: c, bytes: bytes, source: source,
		staging: path.Join(kubelet, "plugins/kubernetes.io/csi/san-csi.io", name, "globalmount"),
	}
	v.target = v.pod("pod-1")
	must(t, v.create)
	t.Cleanup(func() { v.undo(t) })
	must(t, v.publishTo)
	return v
}

// pod is the target path of a pod.
func (v *volume) pod(name string) string {
	return path.Join(kubelet, "pods", name, "volumes/kubernetes.io~csi", v.name, "mount")
}

// must runs calls that have to succeed.
func must(t *testing.T, calls ...func(context.Context) error) {
	t.Helper()
	for _, call := range calls {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := call(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// refused runs a call that has to fail with the code and a message that has all
// the words.
func refused(t *testing.T, call func(context.Context) error, code codes.Code, says ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := call(ctx)
	if status.Code(err) != code {
		t.Errorf("got %v, want %s", err, code)
	}
	for _, word := range says {
		if err != nil && !strings.Contains(err.Error(), word) {
			t.Errorf("got %v, want it to say %q", err, word)
		}
	}
}

// patiently gives way to a call that is under way, as a container orchestrator
// does: the driver's own repair of a volume is one.
func patiently(call func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			err := call(ctx)
			if status.Code(err) != codes.Aborted {
				return err
			}
			select {
			case <-ctx.Done():
				return err
			case <-time.After(firstDelay):
			}
		}
	}
}

// undo takes back whatever was done with the volume; each call may come again.
func (v *volume) undo(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, call := range []func(context.Context) error{v.unpublish, v.unstage, v.unpublishFrom, v.remove} {
		if err := patiently(call)(ctx); err != nil {
			t.Errorf("undo %s: %v", v.name, err)
		}
	}
}

func (v *volume) controller() csi.ControllerClient { return csi.NewControllerClient(v.b.node.Conn) }

func (v *volume) node() csi.NodeClient {
	if v.nodes != nil {
		return csi.NewNodeClient(v.nodes.node.Conn)
	}
	return csi.NewNodeClient(v.b.node.Conn)
}

func (v *volume) create(ctx context.Context) error {
	parameters := map[string]string{"minIOPS": "50", "maxIOPS": "50000"}
	maps.Copy(parameters, v.parameters)
	resp, err := v.controller().CreateVolume(ctx, &csi.CreateVolumeRequest{
		Name: v.name, CapacityRange: &csi.CapacityRange{RequiredBytes: v.bytes},
		VolumeCapabilities: []*csi.VolumeCapability{v.capability}, Parameters: parameters, VolumeContentSource: v.source,
	})
	v.id, v.context = resp.GetVolume().GetVolumeId(), resp.GetVolume().GetVolumeContext()
	return err
}

// number is the volume's id on the array: a handle is <cluster>:<id>:<uuid>.
func (v *volume) number(t *testing.T) int64 {
	t.Helper()
	parts := strings.Split(v.id, ":")
	id, err := strconv.ParseInt(parts[min(1, len(parts)-1)], 10, 64)
	if err != nil {
		t.Fatalf("volume id %q: %v", v.id, err)
	}
	return id
}

// fingerprint is a checksum of what the volume holds on the array.
func (v *volume) fingerprint(t *testing.T) string {
	t.Helper()
	sum, err := v.b.lab.Fingerprint(v.number(t))
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func (v *volume) publishTo(ctx context.Context) error { return v.publishToNode(ctx, v.b.id) }

func (v *volume) publishToNode(ctx context.Context, id string) error {
	resp, err := v.controller().ControllerPublishVolume(ctx, &csi.ControllerPublishVolumeRequest{
		VolumeId: v.id, NodeId: id, VolumeCapability: v.capability, VolumeContext: v.context,
	})
	v.grant = resp.GetPublishContext()
	return err
}

func (v *volume) stage(ctx context.Context) error { return v.stageWith(ctx, v.grant) }

func (v *volume) stageWith(ctx context.Context, grant map[string]string) error {
	_, err := v.node().NodeStageVolume(ctx, &csi.NodeStageVolumeRequest{
		VolumeId: v.id, PublishContext: grant, StagingTargetPath: v.staging, VolumeCapability: v.capability, VolumeContext: v.context,
	})
	return err
}

func (v *volume) publish(ctx context.Context) error { return v.publishAt(ctx, v.target, false) }

func (v *volume) publishAt(ctx context.Context, target string, readOnly bool) error {
	_, err := v.node().NodePublishVolume(ctx, &csi.NodePublishVolumeRequest{
		VolumeId: v.id, PublishContext: v.grant, StagingTargetPath: v.staging, TargetPath: target,
		VolumeCapability: v.capability, VolumeContext: v.context, Readonly: readOnly,
	})
	return err
}

func (v *volume) unpublish(ctx context.Context) error { return v.unpublishAt(ctx, v.target) }

func (v *volume) unpublishAt(ctx context.Context, target string) error {
	_, err := v.node().NodeUnpublishVolume(ctx, &csi.NodeUnpublishVolumeRequest{VolumeId: v.id, TargetPath: target})
	return err
}

func (v *volume) unstage(ctx context.Context) error {
	_, err := v.node().NodeUnstageVolume(ctx, &csi.NodeUnstageVolumeRequest{VolumeId: v.id, StagingTargetPath: v.staging})
	return err
}

func (v *volume) unpublishFrom(ctx context.Context) error { return v.unpublishFromNode(ctx, v.b.id) }

func (v *volume) unpublishFromNode(ctx context.Context, id string) error {
	_, err := v.controller().ControllerUnpublishVolume(ctx, &csi.ControllerUnpublishVolumeRequest{VolumeId: v.id, NodeId: id})
	return err
}

func (v *volume) remove(ctx context.Context) error {
	_, err := v.controller().DeleteVolume(ctx, &csi.DeleteVolumeRequest{VolumeId: v.id})
	return err
}

// grow grows the volume on the array, then on the node.
func (v *volume) grow(ctx context.Context, bytes int64) error {
	wanted := &csi.CapacityRange{RequiredBytes: bytes}
	if _, err := v.controller().ControllerExpandVolume(ctx, &csi.ControllerExpandVolumeRequest{
		VolumeId: v.id, CapacityRange: wanted, VolumeCapability: v.capability,
	}); err != nil {
		return err
	}
	return v.growNode(ctx, bytes)
}

// growNode grows what the node has of a volume that has grown on the array.
func (v *volume) growNode(ctx context.Context, bytes int64) error {
	wanted := &csi.CapacityRange{RequiredBytes: bytes}
	_, err := v.node().NodeExpandVolume(ctx, &csi.NodeExpandVolumeRequest{
		VolumeId: v.id, VolumePath: v.target, StagingTargetPath: v.staging, CapacityRange: wanted, VolumeCapability: v.capability,
	})
	return err
}

// usage is what the node tells of the volume, by its unit.
func (v *volume) usage(t *testing.T) map[csi.VolumeUsage_Unit]*csi.VolumeUsage {
	t.Helper()
	resp, err := v.node().NodeGetVolumeStats(t.Context(), &csi.NodeGetVolumeStatsRequest{VolumeId: v.id, VolumePath: v.target, StagingTargetPath: v.staging})
	if err != nil {
		t.Fatal(err)
	}
	all := map[csi.VolumeUsage_Unit]*csi.VolumeUsage{}
	for _, u := range resp.GetUsage() {
		all[u.GetUnit()] = u
	}
	return all
}
