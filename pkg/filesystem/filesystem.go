// Package filesystem knows what devices hold and where they are mounted: it
// probes, decides whether a device may be formatted, makes, checks, mounts and
// grows filesystems. It imports nothing of ours.
package filesystem

import (
	"cmp"
	"errors"
	"strings"

	"golang.org/x/sync/singleflight"
	utilexec "k8s.io/utils/exec"
)

// The filesystems that can be made.
const (
	Ext4  = "ext4"
	XFS   = "xfs"
	Btrfs = "btrfs"
)

// The sentinel errors, wrapped with the operation, the device and the numbers.
var (
	// ErrInvalid: a filesystem or a mode that is not known here.
	ErrInvalid = errors.New("invalid")
	// ErrBusy: the device or the mount is in use by somebody else.
	ErrBusy = errors.New("in use")
	// ErrForeignData: the device holds something that must not be formatted over.
	ErrForeignData = errors.New("device holds data that may not be formatted over")
	// ErrTwin: another device of the node holds a filesystem of the same identity.
	ErrTwin = errors.New("another device holds the same filesystem")
	// ErrUnreadable: a read or write of the device failed. It is never "blank".
	ErrUnreadable = errors.New("device cannot be read")
	// ErrCorrupt: the check found what it may not repair.
	ErrCorrupt = errors.New("filesystem has errors")
)

// Options are what a Filesystem works with; zero members take the defaults.
type Options struct {
	Exec      utilexec.Interface // runs mkfs, mount and their like; the real one
	MountInfo string             // /proc/self/mountinfo
	Sys       string             // /sys
	Dev       string             // /dev
	// HostRoot is where the host's root is seen besides, "" for nowhere. What is
	// mounted beneath it is told by its path on the host: it is the same mount,
	// seen twice. It must be propagated from the host, or mounts stay behind in it.
	HostRoot string
}

// Filesystem works on the devices and the mount table of this mount namespace.
type Filesystem struct {
	exec      utilexec.Interface
	mountInfo string
	sys, dev  string
	hostRoot  string
	number    func(path string) (string, error) // of the block device at path
	unmounts  singleflight.Group                // by path: a hung umount is waited for, not doubled
}

// New makes a Filesystem.
func New(o Options) *Filesystem {
	f := &Filesystem{
		exec:      o.Exec,
		mountInfo: cmp.Or(o.MountInfo, "/proc/self/mountinfo"),
		sys:       cmp.Or(o.Sys, "/sys"),
		dev:       cmp.Or(o.Dev, "/dev"),
		hostRoot:  strings.TrimSuffix(o.HostRoot, "/"),
		number:    deviceNumber,
	}
	if f.exec == nil {
		f.exec = utilexec.New()
	}
	return f
}
