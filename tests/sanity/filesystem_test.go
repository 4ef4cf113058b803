package sanity

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/san-csi/san-csi/pkg/filesystem"
)

// fakeFilesystem keeps contents of devices and a mount table in memory; the
// directories are real, since csi-sanity looks at them.
type fakeFilesystem struct {
	mu     sync.Mutex
	types  map[string]string // by device path
	mounts []filesystem.Mount
}

func newFakeFilesystem() *fakeFilesystem {
	return &fakeFilesystem{types: map[string]string{}}
}

// numberOf is major:minor of the fake initiator's devices, /dev/sd<n> = 8:<n>.
func numberOf(device string) string { return "8:" + strings.TrimPrefix(device, "/dev/sd") }

func (f *fakeFilesystem) Inspect(_ context.Context, device string) (filesystem.Content, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.types[device]
	return filesystem.Content{Device: device, Type: t, Zero: t == ""}, nil
}

func (f *fakeFilesystem) Format(_ context.Context, device, fsType string, _ []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.types[device] = fsType
	return nil
}

func (f *fakeFilesystem) Wipe(_ context.Context, device string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.types, device)
	return nil
}

func (f *fakeFilesystem) Check(context.Context, string, string, filesystem.Fsck) error { return nil }

func (f *fakeFilesystem) List(context.Context) ([]filesystem.Mount, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.mounts), nil
}

func (f *fakeFilesystem) Mount(_ context.Context, r filesystem.MountRequest) error {
	if err := os.MkdirAll(r.Path, 0o750); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mounts = append(f.mounts, filesystem.Mount{
		Path: r.Path, Device: numberOf(r.Device), Type: r.FSType, Root: "/", ReadOnly: r.ReadOnly, Options: r.Flags,
	})
	return nil
}

func (f *fakeFilesystem) BindDirectory(_ context.Context, source, target string, flags []string, readOnly bool) error {
	if err := os.MkdirAll(target, 0o750); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.mounts, func(m filesystem.Mount) bool { return m.Path == source })
	if i < 0 {
		return fmt.Errorf("bind: %s is no mount", source)
	}
	bound := f.mounts[i]
	bound.Path, bound.Options, bound.ReadOnly = target, flags, bound.ReadOnly || readOnly
	f.mounts = append(f.mounts, bound)
	return nil
}

func (f *fakeFilesystem) BindDevice(_ context.Context, device, target string, readOnly bool) error {
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mounts = append(f.mounts, filesystem.Mount{
		Path: target, Device: numberOf(device), Type: "devtmpfs", Root: "/" + device[len("/dev/"):], ReadOnly: readOnly,
	})
	return nil
}

func (*fakeFilesystem) Protect(context.Context, string) error { return nil }

func (f *fakeFilesystem) Unmount(_ context.Context, path string, _ bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mounts = slices.DeleteFunc(f.mounts, func(m filesystem.Mount) bool { return m.Path == path })
	return nil
}

func (f *fakeFilesystem) Remove(_ context.Context, path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (f *fakeFilesystem) Grow(context.Context, string, string, string) error { return nil }

func (f *fakeFilesystem) Usage(context.Context, string) (filesystem.Usage, error) {
	return filesystem.Usage{TotalBytes: 100, AvailableBytes: 60, UsedBytes: 40, TotalInodes: 10, AvailableInodes: 9, UsedInodes: 1}, nil
}

// mounted are the mount points there are.
func (f *fakeFilesystem) mounted() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var paths []string
	for _, m := range f.mounts {
		paths = append(paths, m.Path)
	}
	return paths
}
