//go:build images

package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// base is the image that stands in for those of a registry. It has the Debian
// that the Dockerfile names; the builder's Go is mounted into it.
const base = "localhost/base"

// buildah runs buildah with a store of its own.
type buildah struct {
	dir     string // of store and base image
	modules string // the module cache's downloads: they serve as a proxy
	goroot  string
}

func newBuildah(ctx context.Context, dir string) (*buildah, error) {
	// What the images are compiled from is in the module cache then.
	if _, err := run(ctx, "go", "list", "-deps", "../../cmd/san-csi", "../../cmd/san-array"); err != nil {
		return nil, err
	}
	env, err := run(ctx, "go", "env", "GOMODCACHE", "GOROOT")
	if err != nil {
		return nil, err
	}
	dirs := strings.Fields(env)
	return &buildah{dir: dir, modules: filepath.Join(dirs[0], "cache", "download"), goroot: dirs[1]}, nil
}

func (b *buildah) run(ctx context.Context, args ...string) (string, error) {
	store := []string{"--root", filepath.Join(b.dir, "store"), "--runroot", filepath.Join(b.dir, "run")}
	return run(ctx, "buildah", append(store, args...)...)
}

// makeBase makes the base image by mmdebstrap: a Debian with apt, as its
// official image is one.
func (b *buildah) makeBase(ctx context.Context, suite string) error {
	tree := filepath.Join(b.dir, "base.tar")
	if _, err := run(ctx, "mmdebstrap", "--variant=apt", "--quiet", suite, tree); err != nil {
		return err
	}
	container, err := b.run(ctx, "from", "scratch")
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"add", "--quiet", container, tree, "/"},
		{"config", "--env", "PATH=/usr/local/go/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "--env", "GOPATH=/go", "--env", "GOTOOLCHAIN=local", container},
		{"commit", "--quiet", "--rm", container, base},
	} {
		if _, err := b.run(ctx, args...); err != nil {
			return err
		}
	}
	return os.Remove(tree)
}

// build builds the target for those platforms from the Dockerfile in source, and
// writes it to an OCI layout.
func (b *buildah) build(ctx context.Context, source, target, layout string, platforms []string, args ...string) error {
	list := "localhost/" + filepath.Base(layout)
	args = append([]string{
		"build", "--pull=never", "--isolation=chroot", "--timestamp=0", "--target=" + target, "--manifest=" + list,
		"--platform=" + strings.Join(platforms, ","),
		"--build-arg=BUILDPLATFORM=linux/" + runtime.GOARCH, // as BuildKit sets it
		"--build-arg=GO_IMAGE=" + base, "--build-arg=DEBIAN_IMAGE=" + base,
		"--build-arg=GOPROXY=file:///modules", "--volume=" + b.modules + ":/modules:ro",
		"--volume=" + b.goroot + ":/usr/local/go:ro",
	}, args...)
	if _, err := b.run(ctx, append(args, source)...); err != nil {
		return err
	}
	if err := os.RemoveAll(layout); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(layout), 0o755); err != nil {
		return err
	}
	_, err := b.run(ctx, "manifest", "push", "--all", list, "oci:"+layout+":"+target)
	return err
}

// runIn runs a command in a new container of the image in the layout, with
// the image's own user.
func (b *buildah) runIn(ctx context.Context, image string, options []string, command ...string) (string, error) {
	container, err := b.run(ctx, "from", "--pull-never", image)
	if err != nil {
		return "", err
	}
	args := append([]string{"run", "--isolation=chroot"}, options...)
	out, err := b.run(ctx, append(append(args, container, "--"), command...)...)
	_, removed := b.run(context.WithoutCancel(ctx), "rm", container)
	return out, errors.Join(err, removed)
}

// remove deletes the store, unless something is still mounted in it: that may
// be a directory of this machine.
func (b *buildah) remove() error {
	// What a build that was cut off left may fail; it is deleted all the same.
	_, unmounted := b.run(context.Background(), "rm", "--all")
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	if bytes.Contains(mounts, []byte(" "+b.dir+"/")) {
		return errors.Join(fmt.Errorf("%s stays: something is mounted below", b.dir), unmounted)
	}
	return os.RemoveAll(b.dir)
}

var fromDebian = regexp.MustCompile(`(?m)^ARG DEBIAN_IMAGE=debian:([a-z]+)-slim$`)

// debianSuite is the release that the Dockerfile names.
func debianSuite(root string) (string, error) {
	file, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		return "", err
	}
	match := fromDebian.FindSubmatch(file)
	if match == nil {
		return "", fmt.Errorf("the Dockerfile has no line %s", fromDebian)
	}
	return string(match[1]), nil
}

// run gives a command's standard output; an error has the end of the other.
func run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		said := slices.Concat(out, stderr.Bytes())
		return string(out), fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, said[max(0, len(said)-4000):])
	}
	return strings.TrimSpace(string(out)), nil
}
