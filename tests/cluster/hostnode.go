package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/san-csi/san-csi/tests/guest"
)

// hostRunner is the host as a node: containerd and kubelet as processes of the
// private world, for pods that need no iSCSI, at the machine's own speed.
type hostRunner struct {
	*containerd
	kubelet *guest.Service
}

// startHostNode returns when the kubelet has been started.
func (c *Cluster) startHostNode(ctx context.Context) (*hostRunner, error) {
	state := filepath.Join(c.dir, "host")
	tree := c.files.Packages
	spec := node{
		Name: hostNode, IP: guest.HostIP, Pods: fmt.Sprintf(podRange, 0), State: state, Etc: filepath.Join(state, "etc"),
		CNIBin: filepath.Join(tree, "usr/lib/cni"), Runc: filepath.Join(tree, "usr/sbin/runc"), ForHost: true,
	}
	files, err := c.nodeFiles(spec)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(writeFiles(spec.Etc, files), coverHost()); err != nil {
		return nil, fmt.Errorf("the host as a node: %w", err)
	}
	runtime, err := startContainerd(ctx, "containerd", spec, tree)
	if err != nil {
		return nil, err
	}
	if err := runtime.load(ctx, filepath.Join(state, "images"), c.files.controllerImages()); err != nil {
		return nil, err
	}
	kubelet, err := guest.StartService("kubelet",
		exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(c.files.Programs, "kubelet"), spec.kubeletArgs()...))
	return &hostRunner{containerd: runtime, kubelet: kubelet}, err
}

// coverHost covers the directories in which containerd, runc and kubelet leave
// things on a real host, so that these go with the private world.
func coverHost() error {
	for _, dir := range []string{"/run", "/var/log"} {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("cover %s: %w", dir, err)
		}
	}
	// Shared within the private world; Isolate has cut it off from the host's.
	if err := syscall.Mount("", "/", "", syscall.MS_SHARED|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("share mounts: %w", err)
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
}

func writeFiles(dir string, files map[string][]byte) error {
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// KillContainer kills a container of one of the driver's pods on the host with
// SIGKILL; its pod stays, and the kubelet starts it again.
func (c *Cluster) KillContainer(ctx context.Context, pod, container string) error {
	id, err := c.Kubectl(ctx, "get", "pod", "--namespace", Namespace, pod,
		fmt.Sprintf("--output=jsonpath={.status.containerStatuses[?(@.name==%q)].containerID}", container))
	if err != nil {
		return err
	}
	_, err = c.host.runCtr(ctx, "tasks", "kill", "--signal", "SIGKILL", strings.TrimPrefix(strings.TrimSpace(id), "containerd://"))
	return err
}

// stop ends the kubelet and then the pods, which containerd tidies up after:
// their cgroups are the host's, and would stay.
func (h *hostRunner) stop(ctx context.Context) error {
	if err := h.kubelet.Stop(ctx); err != nil {
		return err
	}
	tasks, err := h.runCtr(ctx, "tasks", "list", "--quiet")
	if err != nil {
		return err
	}
	for task := range strings.FieldsSeq(tasks) {
		// One that has just ended by itself cannot be killed, and need not be.
		_, _ = h.runCtr(ctx, "tasks", "kill", "--signal", "SIGKILL", task)
	}
	err = h.service.Wait(ctx, func(ctx context.Context) error {
		left, err := h.runCtr(ctx, "tasks", "list")
		if err == nil && strings.Contains(left, "RUNNING") {
			err = errors.New("pods are still there")
		}
		return err
	})
	return errors.Join(err, h.service.Stop(ctx))
}
