package filesystem

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestListSeesTheDeviceBeneath(t *testing.T) {
	_, f := newNode(t,
		line("0:21", "/", "/proc", "rw,nosuid", "proc", "proc", "rw"),
		line("8:16", "/", `/with\040space`, "rw,noatime", "ext4", "/dev/sdb", "rw"),
		line("0:44", "/", "/btrfs", "rw", "btrfs", "/dev/sdb", "rw,subvol=/"),
		line("0:44", "/", "/stale", "rw", "btrfs", "/dev/sdz", "rw"),
		line("0:6", "/sdb", "/pods/sdb", "ro", "devtmpfs", "udev", "rw"),
		line("0:6", "/sdb//deleted", "/pods/gone", "rw", "devtmpfs", "udev", "rw"),
		line("8:16", "/", "/failed", "rw", "ext4", "/dev/sdb", "ro,errors"),
	)
	all, err := f.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Mount{
		{Path: "/proc", Type: "proc", Root: "/"},
		{Path: "/with space", Device: "8:16", Type: "ext4", Root: "/"},
		{Path: "/btrfs", Device: "8:16", Type: "btrfs", Root: "/"},
		{Path: "/stale", Type: "btrfs", Root: "/"},
		{Path: "/pods/sdb", Device: "8:16", Type: "devtmpfs", Root: "/sdb", ReadOnly: true},
		{Path: "/pods/gone", Type: "devtmpfs", Root: "/sdb//deleted"},
		{Path: "/failed", Device: "8:16", Type: "ext4", Root: "/", ReadOnly: true},
	}
	if !slices.EqualFunc(all, want, func(a, b Mount) bool {
		return a.Path == b.Path && a.Device == b.Device && a.Type == b.Type && a.Root == b.Root && a.ReadOnly == b.ReadOnly
	}) {
		t.Errorf("got %+v\nwant %+v", all, want)
	}
}

// The host's root may be seen at a second place: its mounts are not others.
func TestListTellsHostPaths(t *testing.T) {
	_, f := newNode(t,
		line("8:1", "/", "/host", "rw", "ext4", "/dev/sda1", "rw"),
		line("8:16", "/", "/host/kubelet/m", "rw", "ext4", "/dev/sdb", "rw"),
		line("8:16", "/", "/hostile/m", "rw", "ext4", "/dev/sdb", "rw"),
	)
	f.hostRoot = "/host"
	all, err := f.List(t.Context())
	if err != nil || len(all) != 3 || all[0].Path != "/host" || all[1].Path != "/kubelet/m" || all[2].Path != "/hostile/m" {
		t.Errorf("got %+v, %v", all, err)
	}
}

func TestMountCommands(t *testing.T) {
	n, f := newNode(t)
	path := filepath.Join(t.TempDir(), "new", "m")
	if err := f.Mount(t.Context(), MountRequest{Device: "/dev/sdb", Path: path, FSType: XFS, Flags: []string{"noatime"}, ReadOnly: true}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"mount -t xfs -o noatime,ro,norecovery /dev/sdb " + path}; !slices.Equal(n.ran, want) {
		t.Errorf("ran %v, want %v", n.ran, want)
	}
}

// TestMountOptions: a read-only grant does not even replay a log; what is not an
// option of a mount is refused.
func TestMountOptions(t *testing.T) {
	cases := []struct {
		fsType   string
		flags    []string
		readOnly bool
		want     string
	}{
		{Ext4, nil, true, "ro,noload"},
		{XFS, []string{"nouuid", "ro"}, true, "nouuid,ro,norecovery"},
		{Btrfs, nil, true, "ro,rescue=nologreplay"},
		{Ext4, []string{"ro"}, false, "ro"},
		{Ext4, []string{"discard", `context="system_u:object_r:container_file_t:s0:c1,c2"`}, false, `discard,context="system_u:object_r:container_file_t:s0:c1,c2"`},
		{Ext4, []string{"remount"}, false, ""},
		{Ext4, []string{"noatime,bind"}, false, ""},
	}
	for _, c := range cases {
		n, f := newNode(t)
		path := t.TempDir()
		err := f.Mount(t.Context(), MountRequest{Device: "/dev/sdb", Path: path, FSType: c.fsType, Flags: c.flags, ReadOnly: c.readOnly})
		if c.want == "" {
			if !errors.Is(err, ErrInvalid) || len(n.ran) > 0 {
				t.Errorf("%v: got %v, ran %v, want ErrInvalid", c.flags, err, n.ran)
			}
			continue
		}
		if want := "mount -t " + c.fsType + " -o " + c.want + " /dev/sdb " + path; err != nil || !slices.Equal(n.ran, []string{want}) {
			t.Errorf("ran %q, %v, want %q", n.ran, err, want)
		}
	}
}

// TestDamagedAtMount: XFS and btrfs show damage when they are mounted.
func TestDamagedAtMount(t *testing.T) {
	n, f := newNode(t)
	n.answer["mount"] = answer{exit: 32, output: "mount: /m: mount(2) system call failed: Structure needs cleaning."}
	err := f.Mount(t.Context(), MountRequest{Device: "/dev/sdb", Path: t.TempDir(), FSType: XFS})
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "fsck=repair") {
		t.Errorf("got %v, want ErrCorrupt with the way out", err)
	}
}

func TestBindKeepsAndAddsOptions(t *testing.T) {
	source, target := t.TempDir(), filepath.Join(t.TempDir(), "target")
	bind := "mount -o bind " + source + " " + target
	cases := []struct {
		name     string
		flags    []string
		readOnly bool
		want     []string
	}{
		{"plain", nil, false, []string{bind}},
		{"read-only", nil, true, []string{bind, "mount -o bind,remount,nosuid,relatime,ro " + source + " " + target}},
		{"flags of the filesystem", []string{"discard", "nosuid"}, false, []string{bind}},
		{"flags of the mount", []string{"discard", "noexec"}, false, []string{bind, "mount -o bind,remount,nosuid,relatime,noexec " + source + " " + target}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n, f := newNode(t, line("8:16", "/", source, "rw,nosuid,relatime", "ext4", "/dev/sdb", "rw"))
			if err := f.BindDirectory(t.Context(), source, target, c.flags, c.readOnly); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(n.ran, c.want) {
				t.Errorf("ran %v, want %v", n.ran, c.want)
			}
		})
	}
}

func TestBindDeviceMakesItsFile(t *testing.T) {
	n, f := newNode(t)
	target := filepath.Join(t.TempDir(), "pod", "device")
	for range 2 {
		if err := f.BindDevice(t.Context(), "/dev/sdb", target, false); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(target); err != nil || !info.Mode().IsRegular() {
		t.Errorf("target %v, %v", info, err)
	}
	if len(n.ran) != 2 || n.ran[0] != "mount -o bind /dev/sdb "+target {
		t.Errorf("ran %v", n.ran)
	}
}

// A path of the caller's may go through links; the mount table's does not.
func TestUnmountEveryLayer(t *testing.T) {
	base := t.TempDir()
	if err := os.Symlink(base, filepath.Join(base, "link")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(base, "m")
	layer := line("8:16", "/", path, "rw", "ext4", "/dev/sdb", "rw")
	n, f := newNode(t, layer, line("8:32", "/", path+"2", "rw", "ext4", "/dev/sdc", "rw"), layer)
	if err := f.Unmount(t.Context(), filepath.Join(base, "link", "m"), false); err != nil {
		t.Fatal(err)
	}
	if want := []string{"umount " + path, "umount " + path}; !slices.Equal(n.ran, want) || len(n.mounts) != 1 {
		t.Errorf("ran %v, left %v", n.ran, n.mounts)
	}
	for _, absent := range []string{path, filepath.Join(base, "no", "such")} {
		if err := f.Unmount(t.Context(), absent, false); err != nil {
			t.Errorf("%s: %v, want success", absent, err)
		}
	}
}

func TestUnmountFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m")
	n, f := newNode(t, line("8:16", "/", path, "rw", "ext4", "/dev/sdb", "rw"))
	n.answer["umount"] = answer{exit: 32, output: "target is busy"}
	if err := f.Unmount(t.Context(), path, false); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "target is busy") {
		t.Errorf("got %v, want ErrBusy with what umount said", err)
	}
}

// A umount that hangs holds no caller past its context, and a second caller
// waits for the same child instead of starting another.
func TestHungUnmount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m")
	n, f := newNode(t, line("8:16", "/", path, "rw", "ext4", "/dev/sdb", "rw"))
	hang := make(chan struct{})
	n.answer["umount"] = answer{hang: hang}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		if err := f.Unmount(ctx, path, false); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want context.Canceled", err)
		}
	}
	forced, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- f.Unmount(forced, path, true) }()
	for !slices.Contains(n.commands(), "umount --lazy "+path) {
		runtime.Gosched()
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("forced: got %v, want context.Canceled", err)
	}
	close(hang)
	if err := f.Unmount(t.Context(), path, false); err != nil {
		t.Fatal(err)
	}
	if ran := slices.Compact(slices.Sorted(slices.Values(n.commands()))); len(n.commands()) != len(ran) {
		t.Errorf("ran %v, want at most one umount of each kind", n.commands())
	}
}

func TestRemove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m")
	_, mounted := newNode(t, line("8:16", "/", path, "rw", "ext4", "/dev/sdb", "rw"))
	if err := mounted.Remove(t.Context(), path); !errors.Is(err, ErrBusy) {
		t.Errorf("a mount: %v, want ErrBusy", err)
	}
	_, f := newNode(t)
	if err := f.Remove(t.Context(), path); err != nil {
		t.Errorf("absent: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(path, "data"), directoryMode); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove(t.Context(), path); err == nil {
		t.Error("a directory that holds something was removed")
	}
	if err := f.Remove(t.Context(), filepath.Join(path, "data")); err != nil {
		t.Error(err)
	}
}
