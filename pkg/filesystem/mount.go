package filesystem

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	mount "k8s.io/mount-utils"
)

// perMount are the options that belong to a mount and not to its filesystem,
// and which a remount of a bind mount must repeat, or they are dropped.
var perMount = []string{"ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime", "strictatime"}

// BindDirectory shows the mount at source at target too. It keeps the mount
// options of the source and adds those of the flags that a bind mount can have.
func (f *Filesystem) BindDirectory(ctx context.Context, source, target string, flags []string, readOnly bool) error {
	if err := os.MkdirAll(target, directoryMode); err != nil {
		return fmt.Errorf("bind %s: %w", source, err)
	}
	inherited, err := f.optionsOf(ctx, source)
	if err != nil {
		return fmt.Errorf("bind %s to %s: %w", source, target, err)
	}
	if readOnly {
		flags = append(slices.Clone(flags), "ro")
	}
	return f.bind(ctx, source, target, inherited, flags)
}

// BindDevice shows a block device at the target, which is a file. Whether a
// container may write to it is for the runtime: a mount's ro does not hold for
// a device node (mount(8)), though it is set.
func (f *Filesystem) BindDevice(ctx context.Context, device, target string, readOnly bool) error {
	if err := os.MkdirAll(filepath.Dir(target), directoryMode); err != nil {
		return fmt.Errorf("bind %s: %w", device, err)
	}
	file, err := os.OpenFile(target, os.O_CREATE|os.O_RDONLY, fileMode)
	if err != nil {
		return fmt.Errorf("bind %s: %w", device, err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("bind %s: %w", device, err)
	}
	var flags []string
	if readOnly {
		flags = []string{"ro"}
	}
	return f.bind(ctx, device, target, nil, flags)
}

// bind mounts, and remounts with the options: one call does not set them on
// all kernels.
func (f *Filesystem) bind(ctx context.Context, source, target string, inherited, flags []string) error {
	if _, err := f.run(ctx, "mount", mount.MakeMountArgs(source, target, "", []string{"bind"})...); err != nil {
		return fmt.Errorf("bind %s to %s: %w", source, target, err)
	}
	added := slices.DeleteFunc(slices.Clone(flags), func(flag string) bool {
		return !slices.Contains(perMount, flag) || slices.Contains(inherited, flag)
	})
	if len(added) == 0 {
		return nil
	}
	options := slices.Concat([]string{"bind", "remount"}, inherited, added)
	if _, err := f.run(ctx, "mount", mount.MakeMountArgs(source, target, "", options)...); err != nil {
		return fmt.Errorf("remount of %s with %v: %w", target, added, err)
	}
	return nil
}

func (f *Filesystem) optionsOf(ctx context.Context, path string) ([]string, error) {
	m, err := f.at(ctx, path)
	if err != nil || m == nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(m.Options), func(o string) bool { return !slices.Contains(perMount, o) }), nil
}

// at is the mount that is seen at path, nil where there is none.
func (f *Filesystem) at(ctx context.Context, path string) (*Mount, error) {
	path, err := resolve(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := f.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range slices.Backward(all) {
		if m.Path == path {
			return &m, nil
		}
	}
	return nil, nil
}

// Unmount takes away every mount at path, bind mounts and stacked ones too;
// none there is success. With force the mounts leave the table at once, also
// while files are open on them (umount2(2), MNT_DETACH). A umount that hangs is
// waited for no longer than ctx and joined, not doubled, by the next call.
func (f *Filesystem) Unmount(ctx context.Context, path string, force bool) error {
	for {
		m, err := f.at(ctx, path)
		if err != nil {
			return fmt.Errorf("unmount %s: %w", path, err)
		}
		if m == nil {
			return nil
		}
		if err := f.unmountOnce(ctx, m.Path, force); err != nil {
			return err
		}
	}
}

func (f *Filesystem) unmountOnce(ctx context.Context, path string, force bool) error {
	detached := context.WithoutCancel(ctx)
	arguments := []string{path}
	if force {
		arguments = []string{"--lazy", path}
	}
	// By its arguments: one that is forced does not wait for one that hangs.
	result := f.unmounts.DoChan(strings.Join(arguments, " "), func() (any, error) {
		output, err := f.exec.CommandContext(detached, "umount", arguments...).CombinedOutput()
		return output, err
	})
	select {
	case <-ctx.Done():
		return fmt.Errorf("unmount %s: still running: %w", path, ctx.Err())
	case r := <-result:
		return f.unmounted(ctx, path, r.Val.([]byte), r.Err)
	}
}

// unmounted judges a umount by the mount table, not by its words: somebody
// else may have unmounted in between.
func (f *Filesystem) unmounted(ctx context.Context, path string, output []byte, err error) error {
	if err == nil {
		return nil
	}
	if m, e := f.at(ctx, path); e == nil && m == nil {
		return nil
	}
	return fmt.Errorf("unmount %s: %w: %w: %s", path, ErrBusy, err, excerpt(output))
}

// Remove removes the file or empty directory at path; what is mounted or holds
// something is not touched. One that is not there is success.
func (f *Filesystem) Remove(ctx context.Context, path string) error {
	m, err := f.at(ctx, path)
	if err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	if m != nil {
		return fmt.Errorf("remove %s: still a mount: %w", path, ErrBusy)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove: %w", err)
	}
	return nil
}
