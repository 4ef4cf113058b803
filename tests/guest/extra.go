package guest

import (
	"context"
	"os"
	"path/filepath"
)

// UnpackPackages unpacks the named Debian packages and all they depend on into
// dir, which must be empty, without documentation and without running their
// scripts. Busybox, where it is among them, gets a link for each applet that no
// package provides. Like [Prepare] it must be called where Debian's archive can be
// reached, that is before [Isolate]; what was downloaded is kept.
func UnpackPackages(ctx context.Context, dir string, names ...string) error {
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	unlock, err := lockFile(ctx, filepath.Join(cache, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	debs, err := packageSet{dir: filepath.Join(cache, "apt"), names: names}.fetch(ctx)
	if err != nil {
		return err
	}
	root := rootTree{dir: dir}
	if err := root.mergeUsr(); err != nil {
		return err
	}
	for _, deb := range debs {
		if err := unpack(ctx, deb, dir, excluded...); err != nil {
			return err
		}
	}
	if exists(filepath.Join(dir, "usr/bin/busybox")) {
		if err := root.linkBusybox(ctx); err != nil {
			return err
		}
	}
	return checkLibraries(dir)
}

// Isolated tells whether this is the program that [Isolate] runs again.
func Isolated() bool {
	return os.Getpid() == 1 && os.Getenv(runDirVariable) != ""
}
