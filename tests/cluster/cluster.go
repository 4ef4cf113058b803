package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/san-csi/san-csi/tests/guest"
	"github.com/san-csi/san-csi/tests/lab"
	"github.com/san-csi/san-csi/tests/secrets"
)

// Cluster is a running Kubernetes with an array beside it.
type Cluster struct {
	Workers []*Worker
	Lab     *lab.Lab // the array
	Second  *lab.Lab // another one, where a test has started it
	// Kubeconfig is the administrator's file for clients outside of the private
	// world, on this machine.
	Kubeconfig string

	files     files
	dir       string
	payload   string // disk of the workers' programs
	scratch   string // disk of the workers' state, with the images
	control   *controlPlane
	host      *hostRunner
	listeners []net.Listener
	spans     *secrets.Collector
}

// Open starts the control plane, the array, the host as a node and the named
// workers, and returns when all nodes are Ready. Everything ends with the
// program; [Cluster.Close] ends it in good order.
func Open(ctx context.Context, workers ...string) (*Cluster, error) {
	c, err := openControlPlane(ctx, append([]string{hostNode}, workers...))
	if err != nil {
		return c, err
	}
	if c.Lab, err = lab.Open(ctx, c.files.Product); err != nil {
		return c, err
	}
	if err := c.reachable(); err != nil {
		return c, err
	}
	if err := c.startSnapshots(ctx); err != nil {
		return c, err
	}
	if err := c.startNodes(ctx, workers); err != nil {
		return c, err
	}
	return c, c.waitForNodes(ctx, workers)
}

// OpenControlPlane starts a Kubernetes without nodes. It ends with the program.
func OpenControlPlane(ctx context.Context) (*Cluster, error) { return openControlPlane(ctx, nil) }

func openControlPlane(ctx context.Context, nodes []string) (*Cluster, error) {
	f, err := preparedFiles()
	if err != nil {
		return nil, err
	}
	scratch, err := guest.RunDir()
	if err != nil {
		return nil, err
	}
	c := &Cluster{files: f, dir: filepath.Join(scratch, "cluster")}
	if err := os.Mkdir(c.dir, 0o755); err != nil {
		return nil, err
	}
	progress("starting etcd and the control plane")
	c.control, err = startControlPlane(ctx, f.Programs, c.dir, nodes)
	return c, err
}

// reachable opens the cluster to clients outside of the private world.
func (c *Cluster) reachable() error {
	listener, err := inheritedListener()
	if err != nil {
		return err
	}
	c.listeners = append(c.listeners, listener)
	go forward(listener, net.JoinHostPort(serviceIP, "443"))
	c.Kubeconfig = c.control.kubeconfigPath("outside")
	return os.WriteFile(c.Kubeconfig,
		kubeconfig("https://"+listener.Addr().String(), c.control.certs.apiServerCA(), c.control.tokens["admin"]), 0o600)
}

func (c *Cluster) startNodes(ctx context.Context, workers []string) error {
	var err error
	progress("starting the host as a node")
	if c.host, err = c.startHostNode(ctx); err != nil {
		return err
	}
	if c.payload, err = c.files.workerPayload(ctx, filepath.Join(c.dir, "payload")); err != nil {
		return err
	}
	if c.scratch, err = c.workerDisk(ctx); err != nil {
		return err
	}
	c.Workers = make([]*Worker, len(workers))
	group, ctx := errgroup.WithContext(ctx)
	for i, name := range workers {
		group.Go(func() error {
			worker, err := c.bootWorker(ctx, i+1, name)
			c.Workers[i] = worker
			return err
		})
	}
	return group.Wait()
}

func (c *Cluster) waitForNodes(ctx context.Context, workers []string) error {
	for _, name := range append([]string{hostNode}, workers...) {
		if _, err := c.Kubectl(ctx, "wait", "--for=create", "node/"+name, "--timeout=300s"); err != nil {
			return err
		}
		if _, err := c.Kubectl(ctx, "wait", "--for=condition=Ready", "node/"+name, "--timeout=300s"); err != nil {
			return err
		}
		progress("node %s is Ready", name)
	}
	return nil
}

// Kubectl runs kubectl as the administrator and returns what it printed.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	return run(ctx, filepath.Join(c.files.Programs, "kubectl"), append([]string{"--kubeconfig=" + c.control.kubeconfigPath("admin")}, args...)...)
}

// AdminKubeconfig is the administrator's file for clients of this program.
func (c *Cluster) AdminKubeconfig() string { return c.control.kubeconfigPath("admin") }

// Apply applies the documents of a manifest.
func (c *Cluster) Apply(ctx context.Context, manifest string) error {
	file, err := os.CreateTemp(c.dir, "apply-*.yaml")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(manifest)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	_, err = c.Kubectl(ctx, "apply", "-f", file.Name())
	return err
}

// closeWait bounds the taking down, which an end asked for must not cut short.
const closeWait = 2 * time.Minute

// With opens a cluster for use to work on, and closes it whatever came of that.
func With(ctx context.Context, workers []string, use func(*Cluster) error) (err error) {
	c, err := Open(ctx, workers...)
	if c != nil {
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
			defer cancel()
			err = errors.Join(err, c.Close(ctx))
		}()
	}
	if err != nil {
		return err
	}
	return use(c)
}

// Close switches the guests off, fetches their logs, and ends the host's pods.
func (c *Cluster) Close(ctx context.Context) error {
	var errs []error
	for _, w := range c.Workers {
		if w != nil {
			errs = append(errs, wrap(w.VM.PowerOff(ctx), "worker %s", w.Name))
		}
	}
	if c.host != nil {
		errs = append(errs, wrap(c.host.stop(ctx), "the host as a node"))
	}
	if c.spans != nil {
		errs = append(errs, c.spans.Close())
	}
	for _, listener := range c.listeners {
		errs = append(errs, listener.Close())
	}
	return errors.Join(errs...)
}

// collectSpans has the driver, when it is next installed, tell its spans.
func (c *Cluster) collectSpans() (err error) {
	c.spans, err = secrets.Collect(net.JoinHostPort(guest.HostIP, "0"), filepath.Join(c.dir, "spans"))
	return err
}

func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
