package cluster

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// What the driver is installed as.
const (
	Release   = "san-csi"
	Namespace = "san-csi"
	// Class is a StorageClass with a floor of 100 and a ceiling of 200 IOPS.
	Class = "san"
	// SlowClass is a VolumeAttributesClass with a ceiling of 100 IOPS.
	SlowClass = "san-slow"
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
	// By a file: the array's password is in it.
	path := filepath.Join(c.dir, "values.json")
	if err := os.WriteFile(path, values, 0o600); err != nil {
		return err
	}
	args := []string{"upgrade", Release, c.files.Chart, "--install", "--namespace", Namespace, "--create-namespace",
		"--values", path, "--wait", "--timeout", installWait.String()}
	for _, option := range options {
		args = append(args, "--set", option)
	}
	if _, err := c.helm(ctx, args...); err != nil {
		return err
	}
	return c.waitForRegistration(ctx)
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

// values are the chart's values for this cluster.
func (c *Cluster) values() ([]byte, error) {
	ca, err := os.ReadFile(c.Lab.Array.CAFile())
	if err != nil {
		return nil, err
	}
	local := func(name string) map[string]any {
		return map[string]any{"image": map[string]any{"registry": "local.test", "repository": name, "tag": imageTag, "pullPolicy": "Never"}}
	}
	values := local("san-csi")
	values["logLevel"] = 4
	values["arrays"] = []map[string]any{{
		"name": "a", "driver": "element", "endpoint": "https://" + c.Lab.Array.APIAddress() + "/json-rpc/12.5",
		"username": c.Lab.Username, "password": c.Lab.Password, "account": "k8s", "caCert": string(ca),
	}}
	values["controller"] = map[string]any{
		"leaseDurationSeconds": 5,
		"nodeSelector":         map[string]any{"kubernetes.io/hostname": hostNode},
		"tolerations":          []map[string]any{{"key": hostTaint, "operator": "Exists"}},
	}
	values["node"] = map[string]any{
		"kubeletPath":  KubeletDir,
		"nodeSelector": map[string]any{workerLabel: "true"},
	}
	probe := local(standIn)
	probe["additionalArgs"] = []string{probeFlag}
	values["sidecars"] = map[string]any{
		"provisioner": local("csi-provisioner"), "attacher": local("csi-attacher"), "resizer": local("csi-resizer"),
		"nodeDriverRegistrar": local(standIn), "livenessProbe": probe,
	}
	values["storageClasses"] = []map[string]any{
		{"name": Class, "isDefault": true, "parameters": map[string]string{"minIOPS": "100", "maxIOPS": "200", "burstIOPS": "200"}},
	}
	values["volumeAttributesClasses"] = []map[string]any{
		{"name": SlowClass, "parameters": map[string]string{"minIOPS": "50", "maxIOPS": "100", "burstIOPS": "100"}},
	}
	return json.Marshal(values)
}
