package filesystem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"
)

// The first superblock of a btrfs: where it is, and in it the filesystem's id and
// what makes it known (btrfs-dev-docs, "On-disk format", superblock).
const (
	btrfsSuper     = 64 * kib
	btrfsFsid      = 32
	btrfsMagic     = 64
	btrfsSignature = "_BHRfS_M"
)

// twinTimeout bounds asking the node's other devices: one that hangs says
// nothing, and must not keep others from being mounted.
const twinTimeout = 5 * time.Second

// twin is another device of the node that shows the fsid of the btrfs at path,
// "" where none does. To the kernel two such devices are one filesystem, and what
// is written to it may go to either.
func (f *Filesystem) twin(ctx context.Context, path string) (string, error) {
	fsid, err := btrfsID(path)
	if err != nil {
		return "", fmt.Errorf("fsid of %s: %w: %w", path, ErrUnreadable, err)
	}
	if fsid == uuid.Nil {
		return "", fmt.Errorf("fsid of %s: no superblock at %d: %w", path, btrfsSuper, ErrUnreadable)
	}
	own, err := f.kin(path)
	if err != nil {
		return "", err
	}
	mounted, err := names(filepath.Join(f.sys, "fs", "btrfs", fsid.String(), "devices"))
	if err != nil {
		return "", err
	}
	for _, name := range mounted {
		if !own.has(f, name) {
			return name, nil
		}
	}
	all, err := names(filepath.Join(f.sys, "class", "block"))
	if err != nil {
		return "", err
	}
	others := slices.DeleteFunc(all, func(name string) bool { return own.has(f, name) || f.attribute(name, "size") == "0" })
	return f.showing(ctx, fsid, others), nil
}

// showing asks all the devices at once for the fsid.
func (f *Filesystem) showing(ctx context.Context, fsid uuid.UUID, devices []string) string {
	ctx, cancel := context.WithTimeout(ctx, twinTimeout)
	defer cancel()
	same := make([]bool, len(devices))
	var asking sync.WaitGroup
	for n, name := range devices {
		asking.Go(func() {
			var found uuid.UUID
			err := bounded(ctx, func() (err error) {
				found, err = btrfsID(filepath.Join(f.dev, name))
				return err
			})
			if err != nil { // no medium, gone, or hung: nobody can mount it either
				klog.FromContext(ctx).V(4).Info("Device is not compared", "device", name, "reason", err.Error())
				return
			}
			same[n] = found == fsid
		})
	}
	asking.Wait()
	if at := slices.Index(same, true); at >= 0 {
		return devices[at]
	}
	return ""
}

// btrfsID is the fsid of the btrfs on a device, zero where there is none.
func btrfsID(path string) (uuid.UUID, error) {
	// A drive without a medium is opened at once with O_NONBLOCK.
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECT|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return uuid.Nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	super, free, err := zeroes(place{btrfsSuper, alignment})
	if err != nil {
		return uuid.Nil, errors.Join(err, unix.Close(fd))
	}
	defer free()
	n, err := unix.Pread(fd, super, btrfsSuper)
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return uuid.Nil, fmt.Errorf("read %s: %w", path, err)
	}
	if n != alignment || !bytes.HasPrefix(super[btrfsMagic:], []byte(btrfsSignature)) {
		return uuid.Nil, nil
	}
	return uuid.FromBytes(super[btrfsFsid : btrfsFsid+len(uuid.Nil)])
}

// kin are the names of one volume's devices: a map and its paths, and whatever
// else shows the volume's own WWID.
type kin struct{ names, wwids map[string]bool }

func (f *Filesystem) kin(path string) (kin, error) {
	number, err := f.number(path)
	if err != nil {
		return kin{}, err
	}
	dir, err := filepath.EvalSymlinks(filepath.Join(f.sys, "dev", "block", number))
	if err != nil {
		return kin{}, fmt.Errorf("device %s: %w", path, err)
	}
	k := kin{names: map[string]bool{}, wwids: map[string]bool{}}
	err = f.gather(k, filepath.Base(dir))
	return k, err
}

// gather adds a device and what is beneath and above it.
func (f *Filesystem) gather(k kin, name string) error {
	if k.names[name] {
		return nil
	}
	k.names[name] = true
	if wwid := f.attribute(name, "device/wwid"); wwid != "" {
		k.wwids[wwid] = true
	}
	for _, relation := range []string{"slaves", "holders"} {
		related, err := names(filepath.Join(f.sys, "class", "block", name, relation))
		if err != nil {
			return err
		}
		for _, other := range related {
			if err := f.gather(k, other); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k kin) has(f *Filesystem, name string) bool {
	return k.names[name] || k.wwids[f.attribute(name, "device/wwid")]
}

// attribute of a block device in sysfs, "" where it has none.
func (f *Filesystem) attribute(name, attribute string) string {
	text, err := os.ReadFile(filepath.Join(f.sys, "class", "block", name, attribute))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// names are the entries of a directory, none where it is not there.
func names(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	all := make([]string, 0, len(entries)) // sorted, as ReadDir has them
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all, nil
}
