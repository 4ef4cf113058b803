package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/san-csi/san-csi/tests/bench/debian"
)

// packages are what fio's libiscsi engine and tgtd need that no machine has to
// have; bundle names the version of this list and of how fio is built.
var packages = []string{
	"tgt", "libiscsi7", "libiscsi-dev", "libaio1", "libibverbs1", "librdmacm1", "libnl-3-200", "libnl-route-3-200",
}

const bundle = "bench-1"

// programs are where the peers' programs lie.
type programs struct {
	fio, tgtd, tgtadm string
	env               []string // they need to find their libraries
}

// prepare gives fio with the libiscsi engine and tgtd. The first time it
// fetches them from Debian, builds fio, and keeps both in the user's cache.
func prepare(ctx context.Context) (*programs, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, "san-csi", bundle)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := install(ctx, dir); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	return at(dir), nil
}

func at(dir string) *programs {
	root := filepath.Join(dir, "root")
	return &programs{
		fio:    filepath.Join(dir, "fio", "fio"),
		tgtd:   filepath.Join(root, "usr", "sbin", "tgtd"),
		tgtadm: filepath.Join(root, "usr", "sbin", "tgtadm"),
		env:    append(os.Environ(), "LD_LIBRARY_PATH="+libraries(root)),
	}
}

func libraries(root string) string {
	return filepath.Join(root, "usr", "lib", "x86_64-linux-gnu") + ":" + filepath.Join(root, "lib", "x86_64-linux-gnu")
}

// install makes dir whole or not at all.
func install(ctx context.Context, dir string) error {
	for _, tool := range []string{"gcc", "make", "pkg-config"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w: building fio needs Debian's gcc, libc6-dev, make and pkg-config", err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	part, err := os.MkdirTemp(filepath.Dir(dir), bundle+"-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(part)
	say("fetching tgt, libiscsi and fio's source from Debian")
	archive, err := debian.Open(ctx, filepath.Join(part, "apt"))
	if err != nil {
		return err
	}
	root, source := filepath.Join(part, "root"), filepath.Join(part, "fio")
	if err := archive.Unpack(ctx, root, packages...); err != nil {
		return err
	}
	if err := archive.Source(ctx, source, "fio"); err != nil {
		return err
	}
	say("building fio with its libiscsi engine (once; a minute)")
	if err := buildFio(ctx, source, root); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(part, "apt")); err != nil {
		return err
	}
	return os.Rename(part, dir)
}

func buildFio(ctx context.Context, source, root string) error {
	env := append(os.Environ(),
		"PKG_CONFIG_SYSROOT_DIR="+root,
		"PKG_CONFIG_PATH="+filepath.Join(root, "usr", "lib", "x86_64-linux-gnu", "pkgconfig"),
		"LD_LIBRARY_PATH="+libraries(root))
	for _, step := range [][]string{{"./configure", "--enable-libiscsi", "--disable-native"}, {"make", "-j2", "fio"}} {
		cmd := exec.CommandContext(ctx, step[0], step[1:]...)
		cmd.Dir, cmd.Env = source, env
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build fio: %s: %w\n%s", strings.Join(step, " "), err, out[max(0, len(out)-2000):])
		}
	}
	return nil
}
