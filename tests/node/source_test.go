//go:build guest

package node

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"

	"github.com/san-csi/san-csi/tests/lab"
)

// source is what serves the LUNs of a row of the table: san-array through the
// driver's controller, or a target of which the controller knows nothing, whose
// grants are made by hand.
type source interface {
	name() string
	volume(t *testing.T, name string, c *csi.VolumeCapability) *volume
	grow(ctx context.Context, v *volume, bytes int64) error // on the array alone
	portals() []lab.Portal
	restart(ctx context.Context) error
}

// ours is san-array. Its grants name both nodes' portals, in place of the
// cluster's, which redirects to one.
type ours struct{ b *bench }

func (o ours) name() string                      { return "san-array" }
func (o ours) portals() []lab.Portal             { return o.b.lab.Portals() }
func (o ours) restart(ctx context.Context) error { return o.b.lab.Array.Restart(ctx) }

func (o ours) volume(t *testing.T, name string, c *csi.VolumeCapability) *volume {
	t.Helper()
	v := o.b.volume(t, name, c, nil)
	v.grant["portals"] = addresses(o.portals())
	return v
}

func (o ours) grow(ctx context.Context, v *volume, bytes int64) error {
	_, err := v.controller().ControllerExpandVolume(ctx, &csi.ControllerExpandVolumeRequest{
		VolumeId: v.id, CapacityRange: &csi.CapacityRange{RequiredBytes: bytes}, VolumeCapability: v.capability,
	})
	return err
}

func addresses(portals []lab.Portal) string {
	var all []string
	for _, p := range portals {
		all = append(all, p.Address)
	}
	return strings.Join(all, ",")
}

// appliance is LIO or tgtd.
type appliance struct {
	b      *bench
	kind   string
	target lab.Target
}

func (a appliance) name() string                      { return a.kind }
func (a appliance) portals() []lab.Portal             { return a.target.Portals() }
func (a appliance) restart(ctx context.Context) error { return a.target.Restart(ctx) }

func (a appliance) volume(t *testing.T, name string, c *csi.VolumeCapability) *volume {
	t.Helper()
	lun, err := a.target.Serve(t.Context(), name, gib, a.b.node.VM.IQN)
	if err != nil {
		t.Fatal(err)
	}
	v := &volume{
		b: a.b, name: name, id: a.kind + ":" + name, capability: c, bytes: gib, grant: grantOf(lun),
		staging: path.Join(kubelet, "plugins/kubernetes.io/csi/san-csi.io", name, "globalmount"),
	}
	v.target = v.pod("pod-1")
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		for _, call := range []func(context.Context) error{v.unpublish, v.unstage} {
			if err := call(ctx); err != nil {
				t.Errorf("undo %s: %v", v.name, err)
			}
		}
		if err := a.target.Remove(ctx, lun.IQN); err != nil {
			t.Errorf("undo %s: %v", v.name, err)
		}
	})
	return v
}

func (a appliance) grow(ctx context.Context, v *volume, bytes int64) error {
	return a.target.Grow(ctx, v.grant["iqn"], bytes)
}

// grantOf is the publish context of a LUN that was made empty.
func grantOf(lun lab.LUN) map[string]string {
	return map[string]string{
		"iqn": lun.IQN, "portals": strings.Join(lun.Portals, ","), "lun": strconv.Itoa(lun.Number), "naa": lun.NAA,
		"sizeBytes": fmt.Sprint(lun.Bytes), "epoch": "1", "blank": "true", "clone": "false", "readOnly": "false",
	}
}
