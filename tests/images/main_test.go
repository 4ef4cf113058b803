//go:build images

// Package images builds the images of the Dockerfile by buildah, on a base image
// made here, and looks at what is in them. It needs root.
package images

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"testing"
	"time"
)

const (
	driver = "driver"
	array  = "array"
)

var architectures = []string{"amd64", "arm64"}

// store and built are set once, before any test runs.
var (
	store *buildah
	built = map[string]map[string]*image{} // by target and architecture
)

var (
	version  = flag.String("version", "v0.0.0", "what the programs and labels say")
	revision = flag.String("revision", "0123456789abcdef", "the commit that the labels name")
	out      = flag.String("out", "", "directory for an OCI layout of each image, by default none that stays")
)

func TestMain(m *testing.M) {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code, err := buildAndRun(ctx, m)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func buildAndRun(ctx context.Context, m *testing.M) (code int, err error) {
	if os.Geteuid() != 0 {
		return 0, errors.New("the images are built as root: buildah mounts, and keeps the files' owners")
	}
	dir, err := os.MkdirTemp("", "san-csi-images-")
	if err != nil {
		return 0, err
	}
	if store, err = newBuildah(ctx, dir); err != nil {
		return 0, err
	}
	defer func() {
		if removed := store.remove(); err == nil {
			err = removed
		}
	}()
	root, err := filepath.Abs("../..")
	if err != nil {
		return 0, err
	}
	suite, err := debianSuite(root)
	if err != nil {
		return 0, err
	}
	progress("a base image of Debian %s", suite)
	if err := store.makeBase(ctx, suite); err != nil {
		return 0, err
	}
	if *out == "" {
		*out = filepath.Join(dir, "images")
	}
	for _, target := range []string{array, driver} {
		if built[target], err = buildAll(ctx, root, target); err != nil {
			return 0, err
		}
	}
	return m.Run(), nil
}

func buildAll(ctx context.Context, root, target string) (map[string]*image, error) {
	start := time.Now()
	layout := filepath.Join(*out, target)
	var platforms []string
	for _, a := range architectures {
		platforms = append(platforms, "linux/"+a)
	}
	if err := store.build(ctx, root, target, layout, platforms, "--build-arg=VERSION="+*version, "--build-arg=REVISION="+*revision); err != nil {
		return nil, err
	}
	images, err := readLayout(layout)
	for _, a := range architectures {
		if i := images[a]; i != nil {
			progress("%s for linux/%s: %.1f MiB compressed", target, a, float64(i.compressed())/(1<<20))
		}
	}
	progress("%s built in %.0f s", target, time.Since(start).Seconds())
	return images, err
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "==> "+format+"\n", args...)
}
