package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/san-csi/san-csi/tests/guest"
)

// snapshotController is the program that an administrator runs once per cluster,
// beside the snapshot CRDs: no part of the chart.
const snapshotController = "snapshot-controller"

// snapshotDefinitions is the directory of the CRDs of the snapshotter that the
// sidecars' module names.
func snapshotDefinitions(ctx context.Context, root string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", "github.com/kubernetes-csi/external-snapshotter/client/v8")
	cmd.Dir = filepath.Join(root, sidecars.module)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("download the snapshot CRDs: %w: %s", err, out)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return "", fmt.Errorf("download the snapshot CRDs: %w", err)
	}
	return filepath.Join(module.Dir, "config", "crd"), nil
}

// startSnapshots makes the cluster one that has snapshots, also of groups.
func (c *Cluster) startSnapshots(ctx context.Context) error {
	if _, err := c.Kubectl(ctx, "apply", "--kustomize", c.files.Definitions); err != nil {
		return err
	}
	if _, err := c.Kubectl(ctx, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"); err != nil {
		return err
	}
	_, err := guest.StartService(snapshotController, exec.CommandContext(context.WithoutCancel(ctx),
		filepath.Join(c.files.Sidecars, snapshotController), "--kubeconfig="+c.control.kubeconfigPath("admin"),
		"--feature-gates=CSIVolumeGroupSnapshot=true"))
	return err
}
