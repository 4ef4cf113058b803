package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/tests/guest"
	"github.com/san-csi/san-csi/tests/lab"
)

const (
	claim   = "pvc-demo"
	gib     = 1 << 30
	staging = "/var/lib/kubelet/plugins/kubernetes.io/csi/san-csi.io/demo/globalmount"
	target  = "/var/lib/kubelet/pods/demo/volumes/kubernetes.io~csi/pvc-demo/mount"
)

// demo is one walk; each step adds to the table at the end.
type demo struct {
	started time.Time
	lab     *lab.Lab
	node    *lab.Node

	nodeID  string
	volume  *csi.Volume
	grant   map[string]string
	results [][2]string
}

func (d *demo) step(format string, args ...any) {
	fmt.Printf("\n[%5.1fs] %s\n", time.Since(d.started).Seconds(), fmt.Sprintf(format, args...))
}

func (d *demo) show(lines string) {
	for line := range strings.SplitSeq(strings.TrimSpace(lines), "\n") {
		fmt.Println("         |", line)
	}
}

func (d *demo) result(what, figure string) { d.results = append(d.results, [2]string{what, figure}) }

// sh runs a command in the guest and shows it with its output.
func (d *demo) sh(ctx context.Context, command string) error {
	out, err := d.node.VM.Run(ctx, command)
	if err != nil {
		return err
	}
	d.show("$ " + command + "\n" + out)
	return nil
}

func capability() *csi.VolumeCapability {
	return &csi.VolumeCapability{
		AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER},
		AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{FsType: "ext4"}},
	}
}

func (d *demo) controller() csi.ControllerClient { return csi.NewControllerClient(d.node.Conn) }
func (d *demo) nodeService() csi.NodeClient      { return csi.NewNodeClient(d.node.Conn) }

func (d *demo) create(ctx context.Context) error {
	d.step("CreateVolume: 1 GiB of a class with minIOPS=50, maxIOPS=100, burstIOPS=100")
	resp, err := d.controller().CreateVolume(ctx, &csi.CreateVolumeRequest{
		Name: claim, CapacityRange: &csi.CapacityRange{RequiredBytes: gib},
		VolumeCapabilities: []*csi.VolumeCapability{capability()},
		Parameters:         map[string]string{"minIOPS": "50", "maxIOPS": "100", "burstIOPS": "100"},
	})
	if err != nil {
		return err
	}
	d.volume = resp.GetVolume()
	d.show("volume id " + d.volume.GetVolumeId())
	return d.showLUN(ctx)
}

// showLUN asks the array itself.
func (d *demo) showLUN(ctx context.Context) error {
	volumes, err := d.lab.Element.ListVolumes(ctx, element.ListVolumesRequest{VolumeName: claim})
	if err != nil {
		return err
	}
	if len(volumes) != 1 {
		return fmt.Errorf("the array has %d volumes named %s, want 1", len(volumes), claim)
	}
	v := volumes[0]
	d.show(fmt.Sprintf("on the array: volume %d %q, %d bytes, minIOPS %d, maxIOPS %d, naa.%s",
		v.VolumeID, v.Name, v.TotalSize, v.QoS.MinIOPS, v.QoS.MaxIOPS, v.NAA))
	return nil
}

func (d *demo) publish(ctx context.Context) error {
	info, err := d.nodeService().NodeGetInfo(ctx, &csi.NodeGetInfoRequest{})
	if err != nil {
		return err
	}
	d.nodeID = info.GetNodeId()
	d.step("ControllerPublishVolume: grant access to the node's initiator, %s", d.nodeID)
	resp, err := d.controller().ControllerPublishVolume(ctx, &csi.ControllerPublishVolumeRequest{
		VolumeId: d.volume.GetVolumeId(), NodeId: d.nodeID, VolumeCapability: capability(),
	})
	if err != nil {
		return err
	}
	d.grant = resp.GetPublishContext()
	groups, err := d.lab.Element.ListVolumeAccessGroups(ctx, element.ListVolumeAccessGroupsRequest{})
	if err != nil {
		return err
	}
	for _, g := range groups {
		d.show(fmt.Sprintf("on the array: access group %d %q, initiators %v, volumes %v", g.ID, g.Name, g.Initiators, g.Volumes))
	}
	d.show("target " + d.grant["iqn"] + " at " + d.grant["portals"])
	return nil
}

func (d *demo) stage(ctx context.Context) error {
	d.step("NodeStageVolume: log in, check the device's identity, make ext4, mount")
	if _, err := d.nodeService().NodeStageVolume(ctx, &csi.NodeStageVolumeRequest{
		VolumeId: d.volume.GetVolumeId(), PublishContext: d.grant, StagingTargetPath: staging, VolumeCapability: capability(),
	}); err != nil {
		return err
	}
	if err := d.sh(ctx, "iscsiadm -m session"); err != nil {
		return err
	}
	if err := d.sh(ctx, "lsblk -o NAME,SIZE,VENDOR,MODEL,WWN,FSTYPE /dev/sd?"); err != nil {
		return err
	}
	d.step("NodePublishVolume: bind it to the pod's path")
	if _, err := d.nodeService().NodePublishVolume(ctx, &csi.NodePublishVolumeRequest{
		VolumeId: d.volume.GetVolumeId(), PublishContext: d.grant, StagingTargetPath: staging, TargetPath: target, VolumeCapability: capability(),
	}); err != nil {
		return err
	}
	return d.sh(ctx, "findmnt -n -o SOURCE,FSTYPE,SIZE,TARGET "+target)
}

func (d *demo) writeAndRead(ctx context.Context) error {
	d.step("write 4 MiB, drop the caches, read it back")
	out, err := d.node.VM.Run(ctx, fmt.Sprintf(`cd %s
dd if=/dev/urandom of=/tmp/data bs=1M count=4 2>/dev/null
cp /tmp/data data && sync data && echo 3 > /proc/sys/vm/drop_caches
sha256sum /tmp/data data | sed 's/  */  /'
cmp /tmp/data data`, target))
	if err != nil {
		return err
	}
	d.show(out)
	d.result("4 MiB written and read back", "checksums equal")
	return nil
}

// refuseSecond logs in as another initiator, by an iface record of its own.
func (d *demo) refuseSecond(ctx context.Context) error {
	d.step("a second initiator tries to log in to the same target")
	refused, said, err := d.refused(ctx, fmt.Sprintf(`{ iscsiadm -m iface -I second -o new && iscsiadm -m iface -I second -o update -n iface.initiatorname -v iqn.2026-01.io.san-csi.guest:second; } >/dev/null
n='iscsiadm -m node -T %s -p %s -I second'
$n -o new >/dev/null && $n -o update -n node.session.initial_login_retry_max -v 1
$n --login 2>&1; code=$?
$n -o delete; iscsiadm -m iface -I second -o delete >/dev/null
exit $code`, d.grant["iqn"], d.grant["portals"]))
	if err != nil {
		return err
	}
	d.show(said)
	if !refused {
		return errors.New("a second initiator was let in")
	}
	d.result("second initiator", "refused at login")
	return nil
}

// refused runs a login that should fail with iscsiadm's code for a refused one,
// 24 (ISCSI_ERR_LOGIN_AUTH_FAILED).
func (d *demo) refused(ctx context.Context, script string) (bool, string, error) {
	out, err := d.node.VM.Run(ctx, script)
	var failed *guest.CommandError
	if errors.As(err, &failed) {
		return failed.Code == 24, out + failed.Stderr + fmt.Sprintf("\nexit code %d", failed.Code), nil
	}
	return false, out, err
}
