package main

import (
	"context"

	"github.com/san-csi/san-csi/pkg/filesystem"
	"github.com/san-csi/san-csi/pkg/initiator"
	"github.com/san-csi/san-csi/pkg/stage"
)

// The rooms below the stage. What changes something has a step before and one
// after; what only looks has one.

type iscsiSteps struct{ stage.Iscsi }

func (s iscsiSteps) Attach(ctx context.Context, t initiator.Target) (initiator.Device, error) {
	defer around(ctx, "attach")()
	return s.Iscsi.Attach(ctx, t)
}

func (s iscsiSteps) Sever(ctx context.Context, iqn string) error {
	defer around(ctx, "sever")()
	return s.Iscsi.Sever(ctx, iqn)
}

func (s iscsiSteps) Unqueue(ctx context.Context, naa string) error {
	defer around(ctx, "unqueue")()
	return s.Iscsi.Unqueue(ctx, naa)
}

func (s iscsiSteps) Detach(ctx context.Context, iqn, naa string) error {
	defer around(ctx, "detach")()
	return s.Iscsi.Detach(ctx, iqn, naa)
}

func (s iscsiSteps) Find(ctx context.Context, t initiator.Target) (initiator.Device, error) {
	step(ctx, "find")
	return s.Iscsi.Find(ctx, t)
}

func (s iscsiSteps) Owner(ctx context.Context, number string) (initiator.Owner, error) {
	step(ctx, "owner")
	return s.Iscsi.Owner(ctx, number)
}

func (s iscsiSteps) Mapping(ctx context.Context, iqn string) (initiator.Mapping, error) {
	step(ctx, "mapping")
	return s.Iscsi.Mapping(ctx, iqn)
}

type diskSteps struct{ stage.Disks }

func (s diskSteps) Inspect(ctx context.Context, device string) (filesystem.Content, error) {
	step(ctx, "inspect")
	return s.Disks.Inspect(ctx, device)
}

func (s diskSteps) Format(ctx context.Context, device, fsType string, options []string) error {
	defer around(ctx, "format")()
	return s.Disks.Format(ctx, device, fsType, options)
}

func (s diskSteps) Wipe(ctx context.Context, device string) error {
	defer around(ctx, "wipe")()
	return s.Disks.Wipe(ctx, device)
}

func (s diskSteps) Protect(ctx context.Context, device string) error {
	defer around(ctx, "protect")()
	return s.Disks.Protect(ctx, device)
}

func (s diskSteps) Check(ctx context.Context, device, fsType string, mode filesystem.Fsck) error {
	defer around(ctx, "check")()
	return s.Disks.Check(ctx, device, fsType, mode)
}

type mountSteps struct{ stage.Mounts }

func (s mountSteps) List(ctx context.Context) ([]filesystem.Mount, error) {
	step(ctx, "list mounts")
	return s.Mounts.List(ctx)
}

func (s mountSteps) Mount(ctx context.Context, r filesystem.MountRequest) error {
	defer around(ctx, "mount")()
	return s.Mounts.Mount(ctx, r)
}

func (s mountSteps) BindDirectory(ctx context.Context, source, target string, flags []string, readOnly bool) error {
	defer around(ctx, "bind directory")()
	return s.Mounts.BindDirectory(ctx, source, target, flags, readOnly)
}

func (s mountSteps) BindDevice(ctx context.Context, device, target string, readOnly bool) error {
	defer around(ctx, "bind device")()
	return s.Mounts.BindDevice(ctx, device, target, readOnly)
}

func (s mountSteps) Unmount(ctx context.Context, path string, force bool) error {
	defer around(ctx, "unmount")()
	return s.Mounts.Unmount(ctx, path, force)
}

func (s mountSteps) Remove(ctx context.Context, path string) error {
	defer around(ctx, "remove path")()
	return s.Mounts.Remove(ctx, path)
}
