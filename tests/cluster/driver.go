package cluster

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/san-csi/san-csi/tests/chart/helm"
)

// What the driver is installed as.
const (
	Release   = "san-csi"
	Namespace = "san-csi"
	// Class is a StorageClass with a floor of 50 and a ceiling of 100 IOPS;
	// NowClass is the same, with claims bound at once.
	Class    = "test"
	NowClass = "test-now"
	// FastClass is a VolumeAttributesClass with a floor of 60 and a ceiling of 200 IOPS.
	FastClass = "test-fast"
	// SnapshotClass is a VolumeSnapshotClass.
	SnapshotClass = "test-snapshots"
)

// installWait bounds the time until the driver's pods are ready.
const installWait = 5 * time.Minute

// InstallDriver installs the driver by helm from the chart, or upgrades it, and
// returns when its pods are ready and every worker has it registered. The
// options are helm's --set.
func (c *Cluster) InstallDriver(ctx context.Context, options ...string) error {
	progress("installing the driver by helm")
	values, err := c.values()
	if err != nil {
		return err
	}
	if c.spans != nil {
		values["tracingEndpoint"] = c.spans.Endpoint()
	}
	return c.install(ctx, c.files.Chart, values, options...)
}

// InstallPrevious does so with the release before: its chart, its driver.
func (c *Cluster) InstallPrevious(ctx context.Context) error {
	progress("installing the driver of %s by helm", previousRelease)
	values, err := c.values()
	if err != nil {
		return err
	}
	return c.install(ctx, filepath.Join(c.files.Previous, helm.Chart), values, "image.tag="+previousTag)
}

func (c *Cluster) install(ctx context.Context, chart string, values map[string]any, options ...string) error {
	raw, err := json.Marshal(values)
	if err != nil {
		return err
	}
	// By a file: the array's password is in it.
	path := filepath.Join(c.dir, "values.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return err
	}
	args := []string{"upgrade", Release, chart, "--install", "--namespace", Namespace, "--create-namespace",
		"--values", path, "--wait", "--timeout", installWait.String()}
	for _, option := range options {
		args = append(args, "--set", option)
	}
	if _, err := c.helm(ctx, args...); err != nil {
		return err
	}
	return c.waitForRegistration(ctx)
}

// UninstallDriver removes the release and returns when its pods are gone.
func (c *Cluster) UninstallDriver(ctx context.Context) error {
	progress("uninstalling the driver by helm")
	if _, err := c.helm(ctx, "uninstall", Release, "--namespace", Namespace, "--wait", "--timeout", installWait.String()); err != nil {
		return err
	}
	_, err := c.Kubectl(ctx, "wait", "--for=delete", "pod", "--all", "--namespace", Namespace, "--timeout="+installWait.String())
	return err
}

// TestRelease runs the chart's own test and returns what it printed.
func (c *Cluster) TestRelease(ctx context.Context) (string, error) {
	return c.helm(ctx, "test", Release, "--namespace", Namespace, "--logs", "--timeout", installWait.String())
}

func (c *Cluster) helm(ctx context.Context, args ...string) (string, error) {
	home := filepath.Join(c.dir, "helm")
	return run(ctx, "env", append([]string{
		"HELM_CACHE_HOME=" + home, "HELM_CONFIG_HOME=" + home, "HELM_DATA_HOME=" + home,
		c.files.Helm, "--kubeconfig", c.control.kubeconfigPath("admin"),
	}, args...)...)
}

// waitForRegistration waits until the kubelet of every worker knows the driver.
func (c *Cluster) waitForRegistration(ctx context.Context) error {
	for _, w := range c.Workers {
		if _, err := c.Kubectl(ctx, "wait", "--for=jsonpath={.spec.drivers[0].name}=san-csi.io", "csinode/"+w.Name, "--timeout=120s"); err != nil {
			return err
		}
		progress("the driver is registered on %s", w.Name)
	}
	return nil
}
