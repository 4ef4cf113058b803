//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
)

type call string

const (
	create    call = "CreateVolume"
	publish   call = "ControllerPublishVolume"
	stage     call = "NodeStageVolume"
	unstage   call = "NodeUnstageVolume"
	unpublish call = "ControllerUnpublishVolume"
	remove    call = "DeleteVolume"
)

// calls are a volume's life, and where a kill may strike.
var calls = []call{create, publish, stage, unstage, unpublish, remove}

const (
	staging = "/var/lib/kubelet/plugins/kubernetes.io/csi/san-csi.io/chaos/globalmount"
	// patience bounds one call with all its retries.
	patience = 5 * time.Minute
	// attempt is the caller's deadline for one try.
	attempt = 60 * time.Second
)

// life is one volume's.
type life struct {
	w      *world
	name   string
	volume string
	nodeID string
	grant  map[string]string
}

// round lives one volume's life with one fault and looks for leftovers.
func (w *world) round(t *testing.T, i int, f fault) {
	l := &life{w: w, name: fmt.Sprintf("pvc-chaos-%d", i)}
	for _, c := range calls {
		if t.Failed() {
			return
		}
		if c == f.during {
			w.callDuring(t, l, c, f)
		} else {
			w.call(t, l, c)
		}
		if c == stage && !t.Failed() {
			w.checkMounted(t)
		}
	}
	w.checkNothingLeft(t)
}

// call retries as a container orchestrator does, until the call succeeds.
func (w *world) call(t *testing.T, l *life, c call) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		start := time.Now()
		try, stop := context.WithTimeout(ctx, attempt)
		err := l.do(try, c)
		stop()
		if err == nil {
			w.took[c] = time.Since(start)
			return
		}
		t.Logf("  %s: %v", c, err)
		select {
		case <-ctx.Done():
			t.Errorf("%s did not succeed within %s: %v", c, patience, err)
			return
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (l *life) do(ctx context.Context, c call) error {
	controller, node := csi.NewControllerClient(l.w.node.Conn), csi.NewNodeClient(l.w.node.Conn)
	capability := &csi.VolumeCapability{
		AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER},
		AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{FsType: "ext4"}},
	}
	var err error
	switch c {
	case create:
		var resp *csi.CreateVolumeResponse
		resp, err = controller.CreateVolume(ctx, &csi.CreateVolumeRequest{
			Name: l.name, CapacityRange: &csi.CapacityRange{RequiredBytes: 1 << 30},
			VolumeCapabilities: []*csi.VolumeCapability{capability}, Parameters: map[string]string{"minIOPS": "50", "maxIOPS": "15000"},
		})
		l.volume = resp.GetVolume().GetVolumeId()
	case publish:
		var info *csi.NodeGetInfoResponse
		if info, err = node.NodeGetInfo(ctx, &csi.NodeGetInfoRequest{}); err != nil {
			return err
		}
		l.nodeID = info.GetNodeId()
		var resp *csi.ControllerPublishVolumeResponse
		resp, err = controller.ControllerPublishVolume(ctx, &csi.ControllerPublishVolumeRequest{
			VolumeId: l.volume, NodeId: l.nodeID, VolumeCapability: capability,
		})
		l.grant = resp.GetPublishContext()
	case stage:
		_, err = node.NodeStageVolume(ctx, &csi.NodeStageVolumeRequest{
			VolumeId: l.volume, PublishContext: l.grant, StagingTargetPath: staging, VolumeCapability: capability,
		})
	case unstage:
		_, err = node.NodeUnstageVolume(ctx, &csi.NodeUnstageVolumeRequest{VolumeId: l.volume, StagingTargetPath: staging})
	case unpublish:
		_, err = controller.ControllerUnpublishVolume(ctx, &csi.ControllerUnpublishVolumeRequest{VolumeId: l.volume, NodeId: l.nodeID})
	case remove:
		_, err = controller.DeleteVolume(ctx, &csi.DeleteVolumeRequest{VolumeId: l.volume})
	}
	return err
}

// checkMounted wants exactly one mount that can be written.
func (w *world) checkMounted(t *testing.T) {
	t.Helper()
	if _, err := w.node.VM.Run(t.Context(), fmt.Sprintf(
		`[ "$(grep -c ' %[1]s ' /proc/mounts)" = 1 ] && echo chaos > %[1]s/written && sync %[1]s/written`, staging)); err != nil {
		t.Errorf("staged, but not to be used: %v", err)
	}
}

// checkNothingLeft gives the sweep some time: a delayed commit may land after
// the volume's life is over.
func (w *world) checkNothingLeft(t *testing.T) {
	t.Helper()
	if t.Failed() {
		return
	}
	w.proxy.drain()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		array, err := w.lab.Leftovers(ctx)
		if err == nil && len(array) == 0 {
			break
		}
		select {
		case <-ctx.Done():
			t.Errorf("left on the array: %q %v", array, err)
			return
		case <-time.After(300 * time.Millisecond):
		}
	}
	if left, err := w.node.Leftovers(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("left on the node: %q %v", left, err)
	}
}
