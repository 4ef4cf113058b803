package guest

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// recipe is the source of what builds an image: another recipe, another image.
//
//go:embed image.go packages.go root.go kernel.go initramfs.go disk.go overlay
var recipe embed.FS

// imageLifetime is how long an image that nobody used is kept.
const imageLifetime = 7 * 24 * time.Hour

// rootFree is the space left on a guest's root, in bytes.
const rootFree = 256 << 20

// agentPackage is the program that is PID 1 of a guest.
const agentPackage = "github.com/san-csi/san-csi/tests/guest/agent"

// Image is a bootable guest, shared read-only by all that run.
type Image struct {
	Dir string
}

func (i Image) kernel() string    { return filepath.Join(i.Dir, "vmlinuz") }
func (i Image) initramfs() string { return filepath.Join(i.Dir, "initramfs.cpio") }
func (i Image) root() string      { return filepath.Join(i.Dir, "root.ext4") }

// Prepare installs or names missing host tools, then returns the guest image
// for the packages that apt resolves today, from the cache where it is there.
// It tells its progress on stderr. It must be called where Debian's archive
// can be reached, that is before [Isolate], which calls it itself.
func Prepare(ctx context.Context) (Image, error) {
	if err := EnsureTools(ctx); err != nil {
		return Image{}, err
	}
	cache, err := cacheDir()
	if err != nil {
		return Image{}, err
	}
	// One process at a time downloads and builds; the others find it done.
	unlock, err := lockFile(ctx, filepath.Join(cache, "lock"))
	if err != nil {
		return Image{}, err
	}
	defer unlock()

	agent := filepath.Join(cache, "agent")
	if err := buildAgent(ctx, agent); err != nil {
		return Image{}, err
	}
	debs, err := packageSet{dir: filepath.Join(cache, "apt"), names: guestPackages}.fetch(ctx)
	if err != nil {
		return Image{}, err
	}
	key, err := imageKey(debs, agent)
	if err != nil {
		return Image{}, err
	}
	images := filepath.Join(cache, "images")
	image := Image{Dir: filepath.Join(images, key)}
	if !exists(image.Dir) {
		if err := buildImage(ctx, image, debs, agent); err != nil {
			return Image{}, err
		}
	}
	now := time.Now()
	return image, errors.Join(os.Chtimes(image.Dir, now, now), pruneImages(images, now.Add(-imageLifetime)))
}

func cacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, "san-csi", "guest")
	return dir, os.MkdirAll(dir, 0o755)
}

// lockFile takes an exclusive lock, waiting until ctx ends.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	locked := make(chan error, 1)
	go func() { locked <- syscall.Flock(int(f.Fd()), syscall.LOCK_EX) }()
	select {
	case err := <-locked:
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		return func() { f.Close() }, nil
	case <-ctx.Done():
		// The goroutine still uses the descriptor; it goes with the lock.
		go func() { <-locked; f.Close() }()
		return nil, fmt.Errorf("lock %s: %w", path, ctx.Err())
	}
}

func buildAgent(ctx context.Context, binary string) error {
	build := command(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", binary, agentPackage)
	build.Env = append(build.Env, "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=")
	return run(build)
}

// imageKey names the image after all that it is made of.
func imageKey(debs []string, agent string) (string, error) {
	h := sha256.New()
	for _, deb := range debs {
		fmt.Fprintln(h, filepath.Base(deb))
	}
	binary, err := os.ReadFile(agent)
	if err != nil {
		return "", err
	}
	h.Write(binary)
	err = fs.WalkDir(recipe, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := recipe.ReadFile(path)
		fmt.Fprintf(h, "%s %x\n", path, sha256.Sum256(content))
		return err
	})
	return hex.EncodeToString(h.Sum(nil))[:16], err
}

// buildImage builds beside the image's place and renames, so that an image
// that is there is whole.
func buildImage(ctx context.Context, image Image, debs []string, agent string) (err error) {
	start := time.Now()
	progress("building the guest image from %d packages", len(debs))
	if err := os.MkdirAll(filepath.Dir(image.Dir), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(image.Dir), "building-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()

	kernelDeb, userland, err := splitKernel(debs)
	if err != nil {
		return err
	}
	kernel, err := unpackKernel(ctx, kernelDeb, filepath.Join(work, "kernel"))
	if err != nil {
		return err
	}
	root := rootTree{dir: filepath.Join(work, "root")}
	if err := root.build(ctx, userland, kernel, agent); err != nil {
		return err
	}
	built := Image{Dir: filepath.Join(work, "image")}
	if err := os.Mkdir(built.Dir, 0o755); err != nil {
		return err
	}
	if err := makeDisk(ctx, root.dir, built.root(), rootFree); err != nil {
		return err
	}
	if err := buildInitramfs(ctx, kernel, agent, filepath.Join(work, "initramfs"), built.initramfs()); err != nil {
		return err
	}
	if err := copyFile(kernel.image(), built.kernel(), 0o644); err != nil {
		return err
	}
	if err := os.Rename(built.Dir, image.Dir); err != nil {
		return err
	}
	progress("guest image built in %.1f s: %s", time.Since(start).Seconds(), image.Dir)
	return nil
}

// splitKernel tells the package with the kernel from the others. The package
// that only depends on it, kernelPackage, is in neither.
func splitKernel(debs []string) (kernel string, others []string, err error) {
	for _, deb := range debs {
		switch {
		case strings.HasPrefix(filepath.Base(deb), kernelPackage+"_"):
		case strings.HasPrefix(filepath.Base(deb), kernelPrefix):
			kernel = deb
		default:
			others = append(others, deb)
		}
	}
	if kernel == "" {
		return "", nil, fmt.Errorf("no package %s* among %d", kernelPrefix, len(debs))
	}
	return kernel, others, nil
}

// pruneImages removes images nobody used since, and the leavings of builds
// that were killed.
func pruneImages(dir string, unusedSince time.Time) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			continue
		}
		if info.ModTime().Before(unusedSince) || strings.HasPrefix(entry.Name(), "building-") {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, entry.Name())))
		}
	}
	return errors.Join(errs...)
}
