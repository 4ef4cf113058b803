package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
)

// takeBack undoes stage and grant, and shows that the grant is gone.
func (d *demo) takeBack(ctx context.Context) error {
	d.step("NodeUnpublishVolume, NodeUnstageVolume, ControllerUnpublishVolume")
	id := d.volume.GetVolumeId()
	if _, err := d.nodeService().NodeUnpublishVolume(ctx, &csi.NodeUnpublishVolumeRequest{VolumeId: id, TargetPath: target}); err != nil {
		return err
	}
	if _, err := d.nodeService().NodeUnstageVolume(ctx, &csi.NodeUnstageVolumeRequest{VolumeId: id, StagingTargetPath: staging}); err != nil {
		return err
	}
	if _, err := d.controller().ControllerUnpublishVolume(ctx, &csi.ControllerUnpublishVolumeRequest{VolumeId: id, NodeId: d.nodeID}); err != nil {
		return err
	}
	left, err := d.node.Leftovers(ctx)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("left on the node: %q", left)
	}
	d.step("the first initiator tries to log in again")
	refused, said, err := d.refused(ctx, fmt.Sprintf(`n='iscsiadm -m node -T %s -p %s'
$n -o new >/dev/null && $n -o update -n node.session.initial_login_retry_max -v 1
$n --login 2>&1; code=$?
$n -o delete
exit $code`, d.grant["iqn"], d.grant["portals"]))
	if err != nil {
		return err
	}
	d.show(said)
	if !refused {
		return errors.New("the first initiator still has access")
	}
	d.result("first initiator after unpublish", "refused at login")
	return nil
}

// remove deletes the volume and looks at what the array still has.
func (d *demo) remove(ctx context.Context) error {
	d.step("DeleteVolume")
	if _, err := d.controller().DeleteVolume(ctx, &csi.DeleteVolumeRequest{VolumeId: d.volume.GetVolumeId()}); err != nil {
		return err
	}
	left, err := d.lab.Leftovers(ctx)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("left on the array: %q", left)
	}
	d.show("on the array: no volume, no access group, no session")
	d.result("array after DeleteVolume", "empty")
	return nil
}

func (d *demo) printTable() {
	d.result("time", fmt.Sprintf("%.0f s", time.Since(d.started).Seconds()))
	width := 0
	for _, r := range d.results {
		width = max(width, len(r[0]))
	}
	fmt.Println()
	for _, r := range d.results {
		fmt.Printf("%-*s  %s\n", width, r[0], r[1])
	}
	fmt.Println(strings.Repeat("-", width+20))
}
