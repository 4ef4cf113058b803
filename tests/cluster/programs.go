package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// kubernetesVersion is what the programs say they are: they are built from the
// module of that version (tools/go.mod), which does not know it by itself.
const kubernetesVersion = "v1.36.3"

// program is one binary and the package of its kit's module it is built from.
type program struct{ name, path string }

// kit is a helper module, apart from the product's so that what it needs is not
// among the product's dependencies, and the programs that are built from it.
type kit struct {
	module   string // directory, from the root
	version  string // of what it builds, in the name of its cache
	sources  []string
	programs []program
}

// kubernetes is the control plane, the nodes' programs and the stand-in;
// sidecars want newer libraries than that has.
var (
	kubernetes = kit{"tests/cluster/tools", kubernetesVersion, []string{"registrar/main.go"}, []program{
		{"etcd", "go.etcd.io/etcd/server/v3"},
		{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"},
		{"kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"},
		{"kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"},
		{"kubelet", "k8s.io/kubernetes/cmd/kubelet"},
		{"kubectl", "k8s.io/kubernetes/cmd/kubectl"},
		{standIn, "./registrar"},
	}}
	sidecars = kit{"tests/cluster/sidecars", "sidecars", nil, []program{
		{"csi-provisioner", "github.com/kubernetes-csi/external-provisioner/v6/cmd/csi-provisioner"},
		{"csi-attacher", "github.com/kubernetes-csi/external-attacher/v4/cmd/csi-attacher"},
		{"csi-resizer", "github.com/kubernetes-csi/external-resizer/v2/cmd/csi-resizer"},
		{"csi-snapshotter", "github.com/kubernetes-csi/external-snapshotter/v8/cmd/csi-snapshotter"},
		{snapshotController, "github.com/kubernetes-csi/external-snapshotter/v8/cmd/snapshot-controller"},
	}}
)

// build returns the directory of the built programs, from the cache where they
// are there. A build that was stopped goes on where it stopped.
func (k kit) build(ctx context.Context, root, cache string) (string, error) {
	source := filepath.Join(root, k.module)
	key, err := k.key(source)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, k.version+"-"+key)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for i, p := range k.programs {
		binary := filepath.Join(dir, p.name)
		if _, err := os.Stat(binary); err == nil {
			continue
		}
		start := time.Now()
		progress("building %s (%d of %d of %s; all programs from nothing take half an hour and more)", p.name, i+1, len(k.programs), k.module)
		if err := p.build(ctx, source, binary); err != nil {
			return "", err
		}
		progress("built %s in %.0f s", p.name, time.Since(start).Seconds())
	}
	return dir, nil
}

// key names the programs after all that they are built from and by.
func (k kit) key(source string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), k.programs)
	for _, name := range append([]string{"go.mod", "go.sum"}, k.sources...) {
		content, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %x\n", name, sha256.Sum256(content))
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// build builds beside the place and renames, so that a binary that is there is
// whole.
func (p program) build(ctx context.Context, source, binary string) error {
	temporary := fmt.Sprintf("%s.%d", binary, os.Getpid())
	defer os.Remove(temporary)
	// The least urgent work of the machine: half an hour of it.
	args := append([]string{"-n", "19", "go"}, p.command()...)
	cmd := exec.CommandContext(ctx, "nice", append(args, "-trimpath", "-buildvcs=false", "-ldflags", versionFlags(), "-o", temporary, p.path)...)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=-mod=readonly")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w: %s", p.name, err, lastBytes(string(out), 2000))
	}
	return os.Rename(temporary, binary)
}

// command is go's, which has one of its own for the binary of a package's tests.
func (p program) command() []string {
	if strings.HasSuffix(p.name, ".test") {
		return []string{"test", "-c", "-vet=off"}
	}
	return []string{"build"}
}

// versionFlags are the linker's flags that give Kubernetes its version: without
// them nodes report v0.0.0.
func versionFlags() string {
	major, minor, _ := strings.Cut(strings.TrimPrefix(kubernetesVersion, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	flags := []string{"-s", "-w"}
	for _, pair := range [][2]string{{"gitVersion", kubernetesVersion}, {"gitMajor", major}, {"gitMinor", minor}} {
		flags = append(flags, "-X k8s.io/component-base/version."+pair[0]+"="+pair[1])
	}
	return strings.Join(flags, " ")
}

func lastBytes(s string, n int) string { return s[max(0, len(s)-n):] }

// run runs a program and returns its standard output; its error has what the command said.
func run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, lastBytes(strings.TrimSpace(stderr.String()), 2000))
	}
	return string(out), nil
}
