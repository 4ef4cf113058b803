package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// suite is Kubernetes' own end-to-end tests, and the server that their pods run.
var suite = kit{"tests/e2e/suite", "e2e-" + kubernetesVersion, nil, []program{
	{suiteServer, "k8s.io/kubernetes/test/images/agnhost"},
	{suiteTests, "k8s.io/kubernetes/test/e2e"},
}}

const (
	suiteServer = "agnhost"
	suiteTests  = "e2e.test"
)

// suiteRegistries has the images of the tests come from the registry that is
// nowhere (k8s.io/kubernetes/test/utils/image, RegistryList).
const suiteRegistries = `promoterE2eRegistry: local.test
gcRegistry: local.test
buildImageRegistry: local.test
gcEtcdRegistry: local.test
sigStorageRegistry: local.test
privateRegistry: local.test
invalidRegistry: local.test/invalid
dockerLibraryRegistry: local.test
cloudProviderGcpRegistry: local.test
`

// IsolateForSuite is [Isolate] for programs that run Kubernetes' own tests.
func IsolateForSuite() { isolate(true) }

// suiteImages are what the storage tests' pods run, under the names and tags
// that this version asks for; none, where they are not run. Of nginx they only
// want a shell, of glibc-dns-testing GNU's tools.
func (f files) suiteImages() []image {
	if f.Suite == "" {
		return nil
	}
	server := f.shellImage(registry + "agnhost:2.63.0")
	server.entrypoint = []string{"/" + suiteServer}
	server.files[suiteServer] = filepath.Join(f.Suite, suiteServer)
	pause := f.pauseImage()
	pause.name = registry + "pause:3.10.2"
	return []image{server, pause, f.shellImage(registry + "busybox:1.37.0-1"), f.shellImage(registry + "nginx:1.15-4"),
		{name: registry + "glibc-dns-testing:2.0.0", entrypoint: []string{"/bin/sh"}, tree: f.GNU}}
}

// SuiteCommand runs Kubernetes' own tests against the cluster, with further
// arguments. Its program has called [IsolateForSuite].
func (c *Cluster) SuiteCommand(ctx context.Context, args ...string) (*exec.Cmd, error) {
	if c.files.Suite == "" {
		return nil, errors.New("cluster.IsolateForSuite was not called first thing in this program")
	}
	registries := filepath.Join(c.dir, "registries.yaml")
	if err := os.WriteFile(registries, []byte(suiteRegistries), 0o644); err != nil {
		return nil, fmt.Errorf("registries of the tests: %w", err)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(c.files.Suite, suiteTests), append([]string{
		"-provider=skeleton", "-kubeconfig=" + c.control.kubeconfigPath("admin"),
		"-kubectl-path=" + filepath.Join(c.files.Programs, "kubectl"),
		// Nothing without a toleration runs on the host, and nothing waits for it.
		"-non-blocking-taints=" + hostTaint,
	}, args...)...)
	cmd.Env = append(os.Environ(), "KUBE_TEST_REPO_LIST="+registries)
	return cmd, nil
}
