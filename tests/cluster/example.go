package cluster

import (
	"context"
	"path/filepath"
)

// RunExample applies examples/pod, waits until its pod writes to its volume, and
// returns the claim and what the pod reads from it.
func (c *Cluster) RunExample(ctx context.Context) (string, error) {
	progress("applying examples/pod")
	var seen string
	for _, args := range [][]string{
		{"apply", "--filename", filepath.Join(c.files.Examples, "pod")},
		{"wait", "--for=condition=Ready", "pod/san-example", "--timeout=300s"},
		{"get", "pvc", "san-example"},
		{"exec", "san-example", "--", "tail", "-n", "1", "/data/log"},
	} {
		out, err := c.Kubectl(ctx, args...)
		if err != nil {
			return "", err
		}
		seen += out
	}
	return seen, nil
}
