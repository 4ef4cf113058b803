package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stageOneModules lists, one a line and in load order, the modules that the
// root disk needs. Only the initramfs has it.
const stageOneModules = "/modules/load"

// rootWait bounds the wait for the root disk to be probed.
const rootWait = 60 * time.Second

func stageOne() error {
	for _, m := range []mountPoint{
		{"proc", "/proc", "proc", 0, ""},
		{"devtmpfs", "/dev", "devtmpfs", 0, ""},
	} {
		if err := m.mount(); err != nil {
			return err
		}
	}
	if err := loadModules(stageOneModules); err != nil {
		return err
	}
	if err := mountRoot("/dev/vda", "/root"); err != nil {
		return err
	}
	return switchRoot("/root")
}

func loadModules(list string) error {
	names, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(string(names)) {
		f, err := os.Open(filepath.Join(filepath.Dir(list), name))
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		f.Close()
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("load module %s: %w", name, err)
		}
	}
	return nil
}

// mountRoot polls: nothing in an initramfs this small announces the disk, and
// the kernel probes it within milliseconds of the driver's arrival.
func mountRoot(device, target string) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(rootWait)
	for {
		err := syscall.Mount(device, target, "ext4", syscall.MS_NOATIME, "")
		if err == nil {
			return nil
		}
		select {
		case <-limit:
			return fmt.Errorf("mount root %s: %w after %v", device, err, rootWait)
		case <-tick.C:
		}
	}
}

// switchRoot makes root the "/" of this process and runs its init, this very
// program, in its second stage.
func switchRoot(root string) error {
	err := errors.Join(
		syscall.Mount("/dev", filepath.Join(root, "dev"), "", syscall.MS_MOVE, ""),
		syscall.Unmount("/proc", syscall.MNT_DETACH),
		os.Chdir(root),
		syscall.Mount(".", "/", "", syscall.MS_MOVE, ""),
		syscall.Chroot("."),
		os.Chdir("/"),
	)
	if err != nil {
		return fmt.Errorf("switch root: %w", err)
	}
	return fmt.Errorf("exec /init: %w", syscall.Exec("/init", []string{"/init"}, []string{"PATH=" + searchPath, "HOME=/root"}))
}
