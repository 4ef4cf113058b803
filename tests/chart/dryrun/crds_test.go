//go:build chart

package dryrun

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// definition is a CustomResourceDefinition that the chart's objects need, as a
// file of the Go module that it comes with.
type definition struct{ module, sum, file string }

const (
	snapshotter    = "github.com/kubernetes-csi/external-snapshotter/client/v8@v8.7.0"
	snapshotterSum = "h1:HVaSUeRRHPu49aSiL8eXOjS9Re9G6pM0NzdTGI7mM14="
	operator       = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
	operatorSum    = "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s="
)

var definitions = []definition{
	{snapshotter, snapshotterSum, "config/crd/snapshot.storage.k8s.io_volumesnapshotclasses.yaml"},
	{snapshotter, snapshotterSum, "config/crd/snapshot.storage.k8s.io_volumesnapshots.yaml"},
	{operator, operatorSum, "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml"},
	{operator, operatorSum, "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"},
}

// definitionsVariable has the files' paths for the isolated program.
const definitionsVariable = "SAN_CSI_DEFINITIONS"

// fetchDefinitions downloads the modules, where that was not done yet.
func fetchDefinitions(ctx context.Context) error {
	var files []string
	for _, d := range definitions {
		dir, err := d.download(ctx)
		if err != nil {
			return err
		}
		files = append(files, filepath.Join(dir, d.file))
	}
	encoded, err := json.Marshal(files)
	if err != nil {
		return err
	}
	return os.Setenv(definitionsVariable, string(encoded))
}

// download returns the module's directory; no go.mod requires it, so its sum is
// compared here.
func (d definition) download(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", d.module)
	cmd.Dir = os.TempDir()
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("download %s: %w: %s", d.module, err, bytes.TrimSpace(out))
	}
	var module struct{ Dir, Sum string }
	if err := json.Unmarshal(out, &module); err != nil {
		return "", fmt.Errorf("download %s: %w", d.module, err)
	}
	if module.Sum != d.sum {
		return "", fmt.Errorf("download %s: its sum is %s, want %s", d.module, module.Sum, d.sum)
	}
	return module.Dir, nil
}

func definitionFiles() ([]string, error) {
	var files []string
	return files, json.Unmarshal([]byte(os.Getenv(definitionsVariable)), &files)
}
