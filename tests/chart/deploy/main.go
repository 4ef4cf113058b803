// Command deploy writes deploy/, the kustomization, from the chart: what Helm
// would install with its defaults and a Secret of the arrays that is there.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/san-csi/san-csi/tests/chart/helm"
)

const (
	namespace = "san-csi"
	secret    = "san-csi-arrays"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "deploy:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	files, err := generate(ctx)
	if err != nil {
		return err
	}
	root, err := helm.Root()
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(root, "deploy", name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate is what deploy/ holds, by file name.
func generate(ctx context.Context) (map[string][]byte, error) {
	h, err := helm.Find(ctx)
	if err != nil {
		return nil, err
	}
	rendered, err := h.Template(ctx, "--set", "arraysSecret="+secret)
	if err != nil {
		return nil, err
	}
	files, err := split(rendered)
	if err != nil {
		return nil, err
	}
	files["namespace.yaml"] = []byte(header + namespaceYAML)
	files["kustomization.yaml"] = kustomization(files)
	return files, nil
}

// The node plugin is privileged: without the labels a cluster that enforces
// Pod Security refuses it.
const namespaceYAML = `apiVersion: v1
kind: Namespace
metadata:
  name: ` + namespace + `
  labels:
    pod-security.kubernetes.io/enforce: privileged
`
