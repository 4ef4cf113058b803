package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/san-csi/san-csi/tests/guest"
)

// The images, under a registry that is nowhere: nodes have them before a pod
// asks for one.
const (
	registry = "local.test/"
	imageTag = "test"

	pauseImage = registry + "pause:" + imageTag
	// ShellImage has a shell and the busybox tools, for pods of tests.
	ShellImage = registry + "shell:" + imageTag
	// busyboxImage is what the examples name; here it is ShellImage.
	busyboxImage = "docker.io/library/busybox:1.37"
	// DriverImage has san-csi and the file systems' tools.
	DriverImage = registry + "san-csi:" + imageTag
)

// standIn is the program, and its image, in the place of node-driver-registrar
// and, with probeFlag, of livenessprobe.
const (
	standIn   = "registrar"
	probeFlag = "--probe"
)

// driverPackages are what the Dockerfile installs into the driver's image, and
// what the driver and the chart's test use of its base image: chroot and sh.
var driverPackages = []string{"e2fsprogs", "xfsprogs", "btrfs-progs", "util-linux", "mount", "coreutils", "busybox-static"}

// shellPackages are what pods of tests run: dd of coreutils can do direct I/O.
var shellPackages = []string{"busybox-static", "coreutils"}

// gnuPackages are what pods of Kubernetes' own block tests run: busybox, whose
// shell prefers its own dd, has not all of GNU's flags.
var gnuPackages = []string{"dash", "coreutils", "util-linux", "grep", "sed"}

// nodePackages are what makes a guest a Kubernetes node.
var nodePackages = []string{"containerd", "runc", "containernetworking-plugins"}

// files are the files that a cluster is made of, all of them on the host's disk
// before it is isolated.
type files struct {
	Programs string // directory of Kubernetes' programs
	Sidecars string // directory of the sidecars and the snapshot controller
	// Suite is the directory of Kubernetes' own tests, "" where they are not run.
	Suite string
	// Definitions is the directory of the snapshot CRDs.
	Definitions string
	Packages    string // root tree of nodePackages
	Driver      string // root tree of driverPackages
	Shell       string // root tree of shellPackages
	GNU         string // root tree of gnuPackages
	Product     string // directory of what is built of this repository
	Chart       string // directory of the chart
	Previous    string // source tree of the release before, built as this one is
	Examples    string // directory of the examples
	Helm        string // the program
}

// trees unpacks Debian's packages, once: they are cached as directories.
func (f *files) trees(ctx context.Context, cache string) error {
	for _, tree := range []struct {
		dir      *string
		name     string
		packages []string
	}{
		{&f.Packages, "node", nodePackages},
		{&f.Driver, "driver", driverPackages},
		{&f.Shell, "shell", shellPackages},
		{&f.GNU, "gnu", gnuPackages},
	} {
		sum := sha256.Sum256([]byte(strings.Join(tree.packages, " ")))
		*tree.dir = filepath.Join(cache, "trees", tree.name+"-"+hex.EncodeToString(sum[:4]))
		if err := unpackOnce(ctx, *tree.dir, tree.packages); err != nil {
			return fmt.Errorf("packages %v: %w", tree.packages, err)
		}
	}
	return nil
}

func unpackOnce(ctx context.Context, dir string, packages []string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	progress("unpacking %v", packages)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), "unpacking-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	tree := filepath.Join(work, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil {
		return err
	}
	if err := guest.UnpackPackages(ctx, tree, packages...); err != nil {
		return err
	}
	return os.Rename(tree, dir)
}

// controllerImages run on the host, workerImages in the guests.
func (f files) controllerImages() []image {
	return []image{
		f.pauseImage(), f.driverImage(), f.previousImage(), f.productImage("san-array"),
		f.sidecarImage("csi-provisioner"), f.sidecarImage("csi-attacher"), f.sidecarImage("csi-resizer"), f.sidecarImage("csi-snapshotter"),
	}
}

func (f files) workerImages() []image {
	return []image{f.pauseImage(), f.driverImage(), f.previousImage(), f.shellImage(ShellImage), f.shellImage(busyboxImage), f.programImage(standIn)}
}

func (f files) pauseImage() image {
	return image{name: pauseImage, entrypoint: []string{"/pause"}, files: map[string]string{"pause": filepath.Join(f.Product, "pause")}}
}

func (f files) shellImage(name string) image {
	return image{
		name: name, entrypoint: []string{"/bin/sh"}, tree: f.Shell,
		files: map[string]string{"usr/local/bin/reads": filepath.Join(f.Product, "reads")},
	}
}

func (f files) driverImage() image { return f.driverOf(DriverImage, f.Product) }

func (f files) previousImage() image {
	return f.driverOf(registry+"san-csi:"+previousTag, builtIn(f.Previous))
}

func (f files) driverOf(name, product string) image {
	const program = "usr/local/bin/san-csi"
	return image{
		name: name, entrypoint: []string{"/" + program}, tree: f.Driver,
		files: map[string]string{program: filepath.Join(product, "san-csi")},
	}
}

// programImage and sidecarImage are an image of one built program, productImage
// is of one of this repository's.
func (f files) programImage(name string) image { return oneProgram(f.Programs, name) }

func (f files) sidecarImage(name string) image { return oneProgram(f.Sidecars, name) }

func (f files) productImage(name string) image { return oneProgram(f.Product, name) }

func oneProgram(dir, name string) image {
	return image{
		name: registry + name + ":" + imageTag, entrypoint: []string{"/" + name},
		files: map[string]string{name: filepath.Join(dir, name)},
	}
}
