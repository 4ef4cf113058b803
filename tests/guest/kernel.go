package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// guestModules are the kernel modules of the guest's root, with what they
// depend on. Names the kernel has built in, or in later versions no longer, do
// no harm as long as requiredModules are there.
var guestModules = []string{
	"virtio_pci", "virtio_blk", "virtio_net", "virtio_console", "virtio_rng",
	"iscsi_tcp", "sd_mod", "sg", "scsi_debug", "loop", "overlay", "fuse", "veth",
	"dm-mod", "dm-multipath", "dm-round-robin", "dm-service-time", "dm-queue-length", "dm-thin-pool", "dm-snapshot", "dm-crypt", "dm-flakey",
	"target_core_mod", "target_core_file", "target_core_iblock", "iscsi_target_mod", "tcm_loop", "configfs",
	"ext4", "xfs", "btrfs", "crc32c_generic", "crc32c-intel", "libcrc32c", "xxhash_generic", "blake2b_generic", "sha256_generic",
}

// bootModules are what the first stage needs to mount the root disk.
var bootModules = []string{"virtio_pci", "virtio_blk", "ext4"}

// kernelTree is an unpacked kernel package.
type kernelTree struct {
	dir     string
	base    string // directory that has lib/modules
	version string
}

func unpackKernel(ctx context.Context, deb, dir string) (kernelTree, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return kernelTree{}, err
	}
	if err := unpack(ctx, deb, dir); err != nil {
		return kernelTree{}, err
	}
	for _, base := range []string{dir, filepath.Join(dir, "usr")} {
		versions, _ := filepath.Glob(filepath.Join(base, "lib/modules/*"))
		if len(versions) != 1 {
			continue
		}
		k := kernelTree{dir: dir, base: base, version: filepath.Base(versions[0])}
		return k, run(command(ctx, "depmod", "-b", base, k.version))
	}
	return kernelTree{}, fmt.Errorf("%s: no kernel modules in it", deb)
}

func (k kernelTree) image() string { return filepath.Join(k.dir, "boot", "vmlinuz-"+k.version) }

func (k kernelTree) modules() string { return filepath.Join(k.base, "lib/modules", k.version) }

// closure returns the files of the modules in load order. Built-in ones have none.
func (k kernelTree) closure(ctx context.Context, name string) ([]string, error) {
	out, err := output(command(ctx, "modprobe", "-d", k.base, "-S", k.version, "--show-depends", name))
	if err != nil {
		return nil, err
	}
	var paths []string
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "insmod" {
			paths = append(paths, fields[1])
		}
	}
	return paths, nil
}

// installModules copies the named modules, with what they depend on, below
// base/lib/modules and indexes them.
func (k kernelTree) installModules(ctx context.Context, base string, names []string) error {
	target := kernelTree{base: base, version: k.version}
	var missing error
	for _, name := range names {
		paths, err := k.closure(ctx, name)
		if err != nil {
			missing = errors.Join(missing, err)
			continue
		}
		for _, path := range paths {
			relative, err := filepath.Rel(k.modules(), path)
			if err != nil {
				return err
			}
			if err := copyFile(path, filepath.Join(target.modules(), relative), 0o644); err != nil {
				return err
			}
		}
	}
	if missing != nil {
		return missing
	}
	for _, index := range []string{"modules.builtin", "modules.builtin.modinfo", "modules.order"} {
		if err := copyFile(filepath.Join(k.modules(), index), filepath.Join(target.modules(), index), 0o644); err != nil {
			return err
		}
	}
	return run(command(ctx, "depmod", "-b", base, k.version))
}

// plainModule copies a module to dir without its compression, which Debian
// kernels since 6.6 have, and returns its base name: the first stage loads
// modules without the tools that could undo it.
func (k kernelTree) plainModule(ctx context.Context, path, dir string) (string, error) {
	name, compressed := strings.CutSuffix(filepath.Base(path), ".xz")
	target := filepath.Join(dir, name)
	if !compressed {
		return name, copyFile(path, target, 0o644)
	}
	out, err := output(command(ctx, "xz", "--decompress", "--stdout", path))
	if err != nil {
		return "", err
	}
	return name, os.WriteFile(target, out, 0o644)
}
