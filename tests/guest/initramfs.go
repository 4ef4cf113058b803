package guest

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// buildInitramfs writes the first stage: the agent and the few modules that
// it needs to mount the root disk. It is small, so that a boot under emulation
// does not spend its time unpacking.
func buildInitramfs(ctx context.Context, kernel kernelTree, agent, scratch, archive string) error {
	modules := filepath.Join(scratch, "modules")
	for _, dir := range []string{modules, filepath.Join(scratch, "dev"), filepath.Join(scratch, "proc")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	var order []string
	for _, name := range bootModules {
		paths, err := kernel.closure(ctx, name)
		if err != nil {
			return err
		}
		for _, path := range paths {
			module, err := kernel.plainModule(ctx, path, modules)
			if err != nil {
				return err
			}
			if !slices.Contains(order, module) {
				order = append(order, module)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(modules, "load"), []byte(strings.Join(order, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	if err := copyFile(agent, filepath.Join(scratch, "init"), 0o755); err != nil {
		return err
	}
	return writeArchive(ctx, scratch, archive)
}

// writeArchive writes dir as a cpio archive of the kernel's format.
func writeArchive(ctx context.Context, dir, archive string) error {
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && path != dir {
			names = append(names, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		return err
	}
	out, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer out.Close()
	cpio := command(ctx, "cpio", "--create", "--format=newc", "--owner=0:0", "--quiet")
	cpio.Dir, cpio.Stdin, cpio.Stdout = dir, strings.NewReader(strings.Join(names, "\n")+"\n"), out
	return run(cpio)
}
