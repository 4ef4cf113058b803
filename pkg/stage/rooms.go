package stage

import (
	"context"
	"regexp"

	"github.com/san-csi/san-csi/pkg/filesystem"
	"github.com/san-csi/san-csi/pkg/initiator"
)

const (
	defaultFilesystem = filesystem.Ext4
	maxLUN            = 16383 // flat space addressing, SAM-5 §4.7.7.3
)

var (
	naaPattern  = regexp.MustCompile(`^[0-9a-f]{32}$`)
	filesystems = []string{filesystem.Ext4, filesystem.XFS, filesystem.Btrfs}
)

// Iscsi is the node's initiator, as pkg/initiator has it.
type Iscsi interface {
	// Attach logs in, brings the LUN up and passes it through the identity gate.
	Attach(ctx context.Context, t initiator.Target) (initiator.Device, error)
	// Find is the device that is attached already; initiator.ErrNotFound where none is.
	Find(ctx context.Context, t initiator.Target) (initiator.Device, error)
	// Resize makes the kernel see the LUN's size, at least t.SizeBytes.
	Resize(ctx context.Context, t initiator.Target) (initiator.Device, error)
	// Sever fails every I/O to the target's devices from now on.
	Sever(ctx context.Context, iqn string) error
	// Unqueue makes what waits for a path of the volume's map fail, so that an
	// umount ends.
	Unqueue(ctx context.Context, naa string) error
	// Detach flushes, deletes the device, logs out and drops the node record.
	Detach(ctx context.Context, iqn, naa string) error
	// Owner is the target that a device (major:minor) came from.
	Owner(ctx context.Context, number string) (initiator.Owner, error)
	// Mapping is what is live of a target.
	Mapping(ctx context.Context, iqn string) (initiator.Mapping, error)
}

// Daemons are the host's that sessions and maps need, as pkg/initiator asks them.
type Daemons interface {
	// Daemon is nil where they listen.
	Daemon(ctx context.Context) error
}

// Disks reads, makes and checks what devices hold, as pkg/filesystem does.
type Disks interface {
	Inspect(ctx context.Context, device string) (filesystem.Content, error)
	Format(ctx context.Context, device, fsType string, options []string) error
	Wipe(ctx context.Context, device string) error
	// Protect has the kernel refuse every write to the device.
	Protect(ctx context.Context, device string) error
	Check(ctx context.Context, device, fsType string, mode filesystem.Fsck) error
}

// Mounts is the mount table, as pkg/filesystem keeps it.
type Mounts interface {
	List(ctx context.Context) ([]filesystem.Mount, error)
	Mount(ctx context.Context, r filesystem.MountRequest) error
	BindDirectory(ctx context.Context, source, target string, flags []string, readOnly bool) error
	BindDevice(ctx context.Context, device, target string, readOnly bool) error
	// Unmount takes away what is mounted at path. With force it leaves the mount
	// table at once, also while it is in use.
	Unmount(ctx context.Context, path string, force bool) error
	Remove(ctx context.Context, path string) error
	Grow(ctx context.Context, fsType, device, path string) error
	Usage(ctx context.Context, path string) (filesystem.Usage, error)
}
