package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/san-csi/san-csi/tests/guest"
)

// containerd is one that runs on the host's side.
type containerd struct {
	node
	ctr     string // the client program
	service *guest.Service
}

// startContainerd starts the containerd of a package tree with the node's
// configuration, which is in place, and returns when it serves. The name is
// its log's.
func startContainerd(ctx context.Context, name string, spec node, tree string) (*containerd, error) {
	c := &containerd{node: spec, ctr: filepath.Join(tree, "usr/bin/ctr")}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(tree, "usr/bin/containerd"), "--config", filepath.Join(spec.Etc, "containerd.toml"))
	cmd.Env = append(os.Environ(),
		"PATH="+filepath.Join(tree, "usr/bin")+":"+filepath.Join(tree, "usr/sbin")+":"+os.Getenv("PATH"),
		"LD_LIBRARY_PATH="+filepath.Join(tree, "usr/lib/x86_64-linux-gnu"))
	var err error
	if c.service, err = guest.StartService(name, cmd); err != nil {
		return nil, err
	}
	return c, c.service.Wait(ctx, func(ctx context.Context) error {
		_, err := c.runCtr(ctx, "version")
		return err
	})
}

func (c *containerd) runCtr(ctx context.Context, args ...string) (string, error) {
	return run(ctx, c.ctr, append([]string{"--address", c.Socket(), "--namespace", "k8s.io"}, args...)...)
}

// load makes the images and imports them; dir has their archives meanwhile.
func (c *containerd) load(ctx context.Context, dir string, images []image) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for n, i := range images {
		archive := filepath.Join(dir, fmt.Sprintf("%d.tar", n))
		if err := i.archive(archive); err != nil {
			return err
		}
		if _, err := c.runCtr(ctx, "images", "import", archive); err != nil {
			return err
		}
	}
	return os.RemoveAll(dir)
}

// workerDisk makes the scratch disk of the workers, with the images imported: a
// containerd of the host's side does in seconds what takes an emulated machine
// minutes.
func (c *Cluster) workerDisk(ctx context.Context) (string, error) {
	state := filepath.Join(c.dir, "worker")
	spec := node{Name: "worker", State: state, Etc: filepath.Join(c.dir, "worker-etc")}
	files, err := spec.render()
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.Mkdir(state, 0o755), writeFiles(spec.Etc, files)); err != nil {
		return "", err
	}
	runtime, err := startContainerd(ctx, "containerd-worker-disk", spec, c.files.Packages)
	if err != nil {
		return "", err
	}
	err = runtime.load(ctx, filepath.Join(c.dir, "worker-images"), append(c.files.workerImages(), c.files.suiteImages()...))
	if err := errors.Join(err, runtime.service.Stop(ctx)); err != nil {
		return "", err
	}
	return guest.Scratch(ctx, state, workerScratch)
}
