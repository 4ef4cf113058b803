package filesystem

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
	mount "k8s.io/mount-utils"
)

// Mount is one line of the mount table.
type Mount struct {
	Path     string
	Device   string // major:minor of the block device beneath; "" where there is none
	Type     string // of the filesystem
	Root     string // the part of the filesystem that is mounted
	ReadOnly bool
	Options  []string // of the mount, not of the filesystem
}

// deleted ends the root of a bind mount whose file was removed.
const deleted = "//deleted"

// unescape undoes the kernel's escapes in mountinfo (proc(5)).
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// List is the mount table, in the order of mounting: of several mounts at one
// path the last is the one that is seen.
func (f *Filesystem) List(ctx context.Context) ([]Mount, error) {
	var lines []mount.MountInfo
	err := bounded(ctx, func() (err error) {
		lines, err = mount.ParseMountInfo(f.mountInfo)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("mount table %s: %w", f.mountInfo, err)
	}
	all := make([]Mount, 0, len(lines))
	for _, line := range lines {
		all = append(all, f.entry(line))
	}
	return all, nil
}

func (f *Filesystem) entry(line mount.MountInfo) Mount {
	return Mount{
		Path:     f.hostPath(unescape.Replace(line.MountPoint)),
		Device:   f.beneath(line),
		Type:     line.FsType,
		Root:     unescape.Replace(line.Root),
		ReadOnly: slices.Contains(line.MountOptions, "ro") || slices.Contains(line.SuperOptions, "ro"),
		Options:  line.MountOptions,
	}
}

// hostPath is the path as the host has it.
func (f *Filesystem) hostPath(path string) string {
	if f.hostRoot == "" || !strings.HasPrefix(path, f.hostRoot+"/") {
		return path
	}
	return strings.TrimPrefix(path, f.hostRoot)
}

// beneath is the block device that a mount leads to. A btrfs shows a number of
// its own, so its source is looked at; a device node bound to a file is the
// device it is the node of, not the one that /dev lies on.
func (f *Filesystem) beneath(line mount.MountInfo) string {
	path := ""
	switch {
	case strings.HasSuffix(line.Root, deleted):
		return "" // a device node whose device is gone; its number may be another's now
	case line.FsType == Btrfs:
		path = line.Source
	case line.FsType == "devtmpfs" && line.Root != "/", line.FsType == "tmpfs" && line.Root != "/":
		path = unescape.Replace(line.MountPoint)
	case line.Major != 0:
		return fmt.Sprintf("%d:%d", line.Major, line.Minor)
	}
	if path == "" {
		return ""
	}
	number, err := f.number(path)
	if err != nil {
		return "" // no block device, or gone: nobody's
	}
	return number
}

// deviceNumber is the major:minor of the block device whose node is at path.
func deviceNumber(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return "", fmt.Errorf("%s: not a block device: %w", path, ErrInvalid)
	}
	return fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev)), nil
}

// resolve follows the links of the path's parents, as the mount table shows
// it; the last element is not touched, since what is mounted there may hang.
func resolve(path string) (string, error) {
	parent, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	return filepath.Join(parent, filepath.Base(path)), nil
}
