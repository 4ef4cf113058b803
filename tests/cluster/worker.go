package cluster

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/san-csi/san-csi/tests/guest"
)

// Directories of a worker.
const (
	workerState = "/var/lib/node"
	workerEtc   = "/etc/kubernetes"
	scratchDisk = "/dev/vdc" // the scratch disk, after root and payload
	// KubeletDir is the workers' kubelet's directory.
	KubeletDir = workerState + "/kubelet"
)

const (
	workerMemory  = 1536    // MiB
	workerScratch = 4 << 30 // free bytes on the disk of containerd and kubelet
)

// workerPrograms are the files of the packages and of the build that a worker
// needs, by their directory on the payload.
func (f files) workerPrograms() map[string][]string {
	inTree := func(names ...string) []string {
		for i, name := range names {
			names[i] = filepath.Join(f.Packages, name)
		}
		return names
	}
	return map[string][]string{
		"bin": append(inTree("usr/bin/containerd", "usr/bin/containerd-shim-runc-v2", "usr/bin/ctr", "usr/sbin/runc"), filepath.Join(f.Programs, "kubelet")),
		"cni": inTree("usr/lib/cni/ptp", "usr/lib/cni/host-local", "usr/lib/cni/loopback"),
		"lib": inTree("usr/lib/x86_64-linux-gnu/libseccomp.so.2"),
	}
}

// workerPayload is the disk with a worker's programs.
func (f files) workerPayload(ctx context.Context, dir string) (string, error) {
	for sub, paths := range f.workerPrograms() {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return "", err
		}
		for _, path := range paths {
			if _, err := run(ctx, "cp", "--dereference", path, filepath.Join(dir, sub)); err != nil {
				return "", err
			}
		}
	}
	return guest.Payload(ctx, dir)
}

// Worker is a guest that is a Kubernetes node.
type Worker struct {
	Name string
	VM   *guest.VM

	node node
}

//go:embed worker.sh
var workerScript string

// bootWorker boots the guest number n, counted from 1, and starts its kubelet.
func (c *Cluster) bootWorker(ctx context.Context, n int, name string) (*Worker, error) {
	vm, err := guest.Boot(ctx, guest.Config{
		Name: name, MemoryMiB: workerMemory, Disks: []string{c.payload}, Scratch: c.scratch, Reboots: true,
	})
	if err != nil {
		return nil, err
	}
	pods := fmt.Sprintf(podRange, n)
	if _, err := run(ctx, "ip", "route", "replace", pods, "via", vm.IP); err != nil {
		return nil, err
	}
	spec := node{
		Name: name, IP: vm.IP, Pods: pods, State: workerState, Etc: workerEtc,
		CNIBin: "/payload/cni", Runc: "/payload/bin/runc",
	}
	if err := c.putNodeFiles(ctx, vm, spec); err != nil {
		return nil, err
	}
	w := &Worker{Name: name, VM: vm, node: spec}
	return w, w.Start(ctx)
}

// Start makes the guest, which has just booted, a node: iscsid first, then
// [Worker.StartKubelet].
func (w *Worker) Start(ctx context.Context) error {
	if err := w.VM.StartISCSI(ctx); err != nil {
		return err
	}
	return w.StartKubelet(ctx)
}

// StartKubelet prepares the guest, starts containerd and, when that serves, the
// kubelet.
func (w *Worker) StartKubelet(ctx context.Context) error {
	vm, spec := w.VM, w.node
	settings := fmt.Sprintf("STATE=%s DISK=%s\n", spec.State, scratchDisk)
	if _, err := vm.Run(ctx, settings+workerScript); err != nil {
		return err
	}
	const path = "export PATH=/payload/bin:$PATH; "
	if _, err := vm.Start(ctx, path+"exec containerd --config "+spec.Etc+"/containerd.toml", "/var/log/containerd.log"); err != nil {
		return err
	}
	if _, err := vm.Run(ctx, path+`export CONTAINERD_ADDRESS=`+spec.Socket()+`
until ctr --connect-timeout 1s version >/dev/null 2>&1; do usleep 200000; done`); err != nil {
		return err
	}
	if _, err := vm.Start(ctx, path+"exec kubelet "+strings.Join(spec.kubeletArgs(), " "), "/var/log/kubelet.log"); err != nil {
		return err
	}
	progress("worker %s: booted at %s, kubelet started", w.Name, vm.IP)
	return nil
}

// putNodeFiles writes the node's configuration and credentials into the guest.
func (c *Cluster) putNodeFiles(ctx context.Context, vm *guest.VM, spec node) error {
	files, err := c.nodeFiles(spec)
	if err != nil {
		return err
	}
	var errs []error
	for name, content := range files {
		errs = append(errs, vm.Put(ctx, filepath.Join(spec.Etc, name), content, 0o600))
	}
	return errors.Join(errs...)
}

// nodeFiles are the node's configuration and its credentials.
func (c *Cluster) nodeFiles(spec node) (map[string][]byte, error) {
	files, err := spec.render()
	if err != nil {
		return nil, err
	}
	for name, path := range map[string]string{"client-ca.crt": c.control.certs.kubeletClientCA(), "apiserver.crt": c.control.certs.apiServerCA()} {
		if files[name], err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	files["kubeconfig"] = kubeconfig(apiServerURL, filepath.Join(spec.Etc, "apiserver.crt"), c.control.tokens[nodePrefix+spec.Name])
	return files, nil
}
