package guest

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// overlay holds the files that maintainer scripts would have made.
//
//go:embed overlay
var overlay embed.FS

// excluded is left out while unpacking: documentation, and what is large and
// belongs to services the guest does not run.
var excluded = []string{
	"./usr/share/doc*", "./usr/share/man*", "./usr/share/locale*", "./usr/share/info*",
	"./usr/share/bash-completion*", "./usr/share/lintian*", "./usr/share/initramfs-tools*", "./usr/share/bug*",
	"./usr/share/i18n*", "*/udev/hwdb.d/*", "*/systemd/system/*", "*/gconv/*", "*/perl5*", "*/tc/q_atm.so",
}

// rootTree is a directory that becomes a guest's root file system.
type rootTree struct {
	dir string
}

// build fills the tree from packages, kernel modules of the kernel tree, and
// the agent's binary.
func (r rootTree) build(ctx context.Context, debs []string, kernel kernelTree, agent string) error {
	if err := r.mergeUsr(); err != nil {
		return err
	}
	for _, deb := range debs {
		if err := unpack(ctx, deb, r.dir, excluded...); err != nil {
			return err
		}
	}
	if err := kernel.installModules(ctx, filepath.Join(r.dir, "usr"), guestModules); err != nil {
		return err
	}
	steps := []func() error{
		r.makeDirectories,
		func() error { return r.linkBusybox(ctx) },
		r.copyOverlay,
		r.configureISCSI,
		func() error { return copyFile(agent, filepath.Join(r.dir, "usr/sbin/agent"), 0o755) },
		func() error { return os.Symlink("usr/sbin/agent", filepath.Join(r.dir, "init")) },
		func() error { return checkLibraries(r.dir) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// mergeUsr makes /bin and its like links into /usr before anything is
// unpacked, so that packages of either layout land in one place.
func (r rootTree) mergeUsr() error {
	for _, dir := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.MkdirAll(filepath.Join(r.dir, "usr", dir), 0o755); err != nil {
			return err
		}
		if err := os.Symlink("usr/"+dir, filepath.Join(r.dir, dir)); err != nil {
			return err
		}
	}
	return nil
}

// unpack extracts a package's files, without its maintainer scripts.
func unpack(ctx context.Context, deb, dir string, exclude ...string) error {
	args := []string{"-x", "-C", dir, "--no-same-owner", "--keep-directory-symlink"}
	for _, pattern := range exclude {
		args = append(args, "--exclude="+pattern)
	}
	dpkg, tar := command(ctx, "dpkg-deb", "--fsys-tarfile", deb), command(ctx, "tar", args...)
	pipe, err := dpkg.StdoutPipe()
	if err != nil {
		return err
	}
	tar.Stdin = pipe
	if err := dpkg.Start(); err != nil {
		return err
	}
	err = run(tar)
	return errors.Join(err, wrap(dpkg.Wait(), "unpack %s", deb))
}

func (r rootTree) makeDirectories() error {
	dirs := []string{
		"proc", "sys", "dev", "run", "tmp", "root", "mnt", "payload", "etc/iscsi", "var/lib/iscsi", "var/log", "var/tmp",
		"var/lib/kubelet",
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(filepath.Join(r.dir, dir), 0o755); err != nil {
			return err
		}
	}
	links := map[string]string{"var/run": "/run", "var/lock": "/run/lock", "etc/mtab": "/proc/self/mounts", "usr/bin/sh": "dash"}
	for name, target := range links {
		path := filepath.Join(r.dir, name)
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		if err := os.Symlink(target, path); err != nil {
			return err
		}
	}
	return nil
}

// linkBusybox gives the guest each busybox applet that no package provides.
func (r rootTree) linkBusybox(ctx context.Context) error {
	applets, err := output(command(ctx, filepath.Join(r.dir, "usr/bin/busybox"), "--list"))
	if err != nil {
		return err
	}
	for applet := range strings.FieldsSeq(string(applets)) {
		bin, sbin := filepath.Join(r.dir, "usr/bin", applet), filepath.Join(r.dir, "usr/sbin", applet)
		if exists(bin) || exists(sbin) {
			continue
		}
		if err := os.Symlink("busybox", bin); err != nil {
			return err
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func (r rootTree) copyOverlay() error {
	return fs.WalkDir(overlay, "overlay", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(r.dir, strings.TrimPrefix(path, "overlay"))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		content, err := overlay.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o644)
	})
}

// configureISCSI changes two settings of the packaged iscsid.conf and leaves
// the rest, timeouts among it, as a Debian node has it: no session starts by
// itself, and iscsiadm finds a dead iscsid restarted, which on a Debian node is
// systemd's socket activation.
func (r rootTree) configureISCSI() error {
	path := filepath.Join(r.dir, "etc/iscsi/iscsid.conf")
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, setOptions(content, map[string]string{
		"node.startup":   "manual",
		"iscsid.startup": "/sbin/iscsid",
	}), 0o600)
}

// setOptions replaces "key = value" lines of a configuration, and adds those
// that it does not have.
func setOptions(content []byte, options map[string]string) []byte {
	var b strings.Builder
	for line := range strings.Lines(string(content)) {
		key, _, _ := strings.Cut(line, "=")
		if _, ours := options[strings.TrimSpace(key)]; !ours {
			b.WriteString(line)
		}
	}
	for _, key := range sortedKeys(options) {
		fmt.Fprintf(&b, "%s = %s\n", key, options[key])
	}
	return []byte(b.String())
}
