package initiator

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/klog/v2"
)

// Probe looks whether the node can do iSCSI at all, and names everything that is
// missing: the way to iscsiadm, iscsid, the kernel's transport. It loads the
// transport's module where it is not there yet, as the first login would.
func (i *Initiator) Probe(ctx context.Context) error {
	if err := errors.Join(i.tool(ctx), i.iscsid(), i.transport(ctx)); err != nil {
		return fmt.Errorf("this node cannot do iSCSI: %w", err)
	}
	klog.FromContext(ctx).Info("The node can do iSCSI", "multipathd", i.multipathd.runs(ctx))
	return nil
}

func (i *Initiator) tool(ctx context.Context) error {
	if err := i.host.run(ctx, iscsiadm, "--version"); err != nil {
		return fmt.Errorf("iscsiadm cannot be run (--iscsiadm=%s): install open-iscsi on the host: %w", i.host.reach, err)
	}
	return nil
}

// transport is the kernel's iSCSI over TCP.
func (i *Initiator) transport(ctx context.Context) error {
	there := func() bool { return exists(i.sysPath("class", "iscsi_transport", "tcp")) }
	if there() {
		return nil
	}
	err := i.host.run(ctx, modprobe, "iscsi_tcp")
	if err == nil && there() {
		return nil
	}
	return errors.Join(fmt.Errorf("the kernel has no iSCSI over TCP (module iscsi_tcp): %w", ErrUnavailable), err)
}
