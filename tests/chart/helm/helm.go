// Package helm runs the Helm that tests/chart/tools pins. No helm needs to be
// installed: it is built from its module once, which takes some minutes, and
// kept in the user's cache directory.
package helm

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Chart is the chart's directory, from the module's root.
const Chart = "charts/san-csi"

// Root is the module's root directory.
func Root() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("the place of this source file is not known")
	}
	return filepath.Join(filepath.Dir(file), "..", "..", ".."), nil
}

// Helm is a built helm.
type Helm struct {
	path, root string
}

// Find gives the helm of the pinned version, built if it is not there yet.
func Find(ctx context.Context) (*Helm, error) {
	path, root, err := Tool(ctx, "helm", "helm.sh/helm/v4/cmd/helm")
	return &Helm{path: path, root: root}, err
}

// Tool builds a program with the module tests/chart/tools, if that was not done
// yet, and tells its path and the root of the module around.
func Tool(ctx context.Context, name, program string) (path, root string, err error) {
	if root, err = Root(); err != nil {
		return "", "", err
	}
	tools := filepath.Join(root, "tests", "chart", "tools")
	key, err := sum(filepath.Join(tools, "go.mod"), filepath.Join(tools, "go.sum"))
	if err != nil {
		return "", "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", "", err
	}
	path = filepath.Join(cache, "san-csi", "chart", name+"-"+key)
	if _, err := os.Stat(path); err == nil {
		return path, root, nil
	}
	fmt.Fprintf(os.Stderr, "==> building %s from its module (once; some minutes)\n", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", "", err
	}
	// Under a name of this process: two builds at a time do not disturb each other.
	part := fmt.Sprintf("%s.%d", path, os.Getpid())
	defer os.Remove(part)
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", part, program)
	build.Dir, build.Env = tools, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return path, root, os.Rename(part, path)
}

func sum(files ...string) (string, error) {
	h := sha256.New()
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		h.Write(content)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:6]), nil
}

// Run runs helm in the module's root and gives its standard output; an error
// has what it wrote on the other.
func (h *Helm) Run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, h.path, args...)
	cmd.Dir = h.root
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out, fmt.Errorf("helm %q: %w\n%s", args, err, exit.Stderr)
	}
	return out, err
}

// Template renders the chart as release and namespace san-csi, with further
// arguments of helm template.
func (h *Helm) Template(ctx context.Context, args ...string) ([]byte, error) {
	return h.Run(ctx, append([]string{"template", "san-csi", Chart, "--namespace", "san-csi"}, args...)...)
}
