package cluster

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/san-csi/san-csi/tests/guest"
)

const etcdURL = "http://127.0.0.1:2379"

// controlPlane is etcd, the API server, the controller manager and the
// scheduler, as processes of the host's side.
type controlPlane struct {
	bin, dir string
	certs    certificates
	tokens   map[string]string // by user
}

// startControlPlane returns when the API server serves and the controller
// manager and scheduler have been started.
func startControlPlane(ctx context.Context, bin, dir string, nodes []string) (*controlPlane, error) {
	c := &controlPlane{bin: bin, dir: dir, certs: certificates(filepath.Join(dir, "certificates")), tokens: map[string]string{}}
	if err := c.certs.make(); err != nil {
		return nil, err
	}
	if err := c.writeTokens(nodes); err != nil {
		return nil, err
	}
	if _, err := run(ctx, "ip", "address", "add", serviceIP+"/32", "dev", "lo"); err != nil {
		return nil, err
	}
	if _, err := c.start(ctx, "etcd", c.etcdArgs()...); err != nil {
		return nil, err
	}
	if err := os.WriteFile(c.path(auditPolicy), []byte(auditDriver), 0o600); err != nil {
		return nil, err
	}
	apiServer, err := c.start(ctx, "kube-apiserver", c.apiServerArgs()...)
	if err != nil {
		return nil, err
	}
	if err := apiServer.Wait(ctx, c.ready); err != nil {
		return nil, err
	}
	for user, file := range map[string]string{"admin": "admin", controllerManager: "controller-manager", scheduler: "scheduler"} {
		if err := os.WriteFile(c.kubeconfigPath(file), c.kubeconfig(user), 0o600); err != nil {
			return nil, err
		}
	}
	_, managerErr := c.start(ctx, "kube-controller-manager", c.managerArgs()...)
	_, schedulerErr := c.start(ctx, "kube-scheduler", c.schedulerArgs()...)
	return c, errors.Join(managerErr, schedulerErr)
}

// The control plane's users, as its own RBAC names them.
const (
	controllerManager = "system:kube-controller-manager"
	scheduler         = "system:kube-scheduler"
	nodePrefix        = "system:node:"
)

// writeTokens makes the users and the file the API server knows them by.
func (c *controlPlane) writeTokens(nodes []string) error {
	var file strings.Builder
	add := func(user, group string) {
		c.tokens[user] = rand.Text()
		fmt.Fprintf(&file, "%s,%s,%s,%q\n", c.tokens[user], user, user, group)
	}
	add("admin", "system:masters")
	add(controllerManager, "")
	add(scheduler, "")
	for _, node := range nodes {
		add(nodePrefix+node, "system:nodes")
	}
	return os.WriteFile(c.certs.path("tokens.csv"), []byte(file.String()), 0o600)
}

func (c *controlPlane) path(name string) string { return filepath.Join(c.dir, name) }

func (c *controlPlane) kubeconfigPath(name string) string { return c.path(name + ".kubeconfig") }

func (c *controlPlane) kubeconfig(user string) []byte {
	return kubeconfig(apiServerURL, c.certs.apiServerCA(), c.tokens[user])
}

func (c *controlPlane) start(ctx context.Context, name string, args ...string) (*guest.Service, error) {
	// The world's end is theirs, not the end of this call.
	return guest.StartService(name, exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(c.bin, name), args...))
}

func (c *controlPlane) etcdArgs() []string {
	const peer = "http://127.0.0.1:2380"
	return []string{
		"--data-dir=" + filepath.Join(c.dir, "etcd"),
		"--unsafe-no-fsync", // nothing of it outlives the run
		"--listen-client-urls=" + etcdURL, "--advertise-client-urls=" + etcdURL,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
	}
}

func (c *controlPlane) apiServerArgs() []string {
	return []string{
		"--etcd-servers=" + etcdURL,
		"--bind-address=" + serviceIP, "--secure-port=443", "--advertise-address=" + serviceIP,
		"--cert-dir=" + string(c.certs),
		"--service-cluster-ip-range=" + serviceRange,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-signing-key-file=" + c.certs.serviceAccountKey(),
		"--service-account-key-file=" + c.certs.serviceAccountKey(),
		"--token-auth-file=" + c.certs.path("tokens.csv"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true", "--endpoint-reconciler-type=none",
		"--kubelet-preferred-address-types=InternalIP",
		"--kubelet-client-certificate=" + c.certs.kubeletClientCert(),
		"--kubelet-client-key=" + c.certs.kubeletClientKey(),
		"--audit-policy-file=" + c.path(auditPolicy), "--audit-log-path=" + c.path(auditLog),
		"--etcd-compaction-interval=0", // the whole run can be looked through at its end
	}
}

func (c *controlPlane) managerArgs() []string {
	return []string{
		"--kubeconfig=" + c.kubeconfigPath("controller-manager"), "--leader-elect=false",
		// By default it makes 20 calls a second, which is four claims: all would wait for it.
		"--kube-api-qps=200", "--kube-api-burst=200",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + c.certs.serviceAccountKey(),
		"--root-ca-file=" + c.certs.apiServerCA(),
		"--bind-address=127.0.0.1", "--cert-dir=" + c.certs.path("controller-manager"),
	}
}

func (c *controlPlane) schedulerArgs() []string {
	return []string{
		"--kubeconfig=" + c.kubeconfigPath("scheduler"), "--leader-elect=false",
		"--bind-address=127.0.0.1", "--cert-dir=" + c.certs.path("scheduler"),
	}
}

// ready asks the API server whether it serves.
func (c *controlPlane) ready(ctx context.Context) error {
	ca, err := os.ReadFile(c.certs.apiServerCA())
	if err != nil {
		return err // it has not made its certificate yet
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "kubernetes"}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, apiServerURL+"/readyz", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.tokens["admin"])
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(response.Body)
		return fmt.Errorf("readyz: %s: %s", response.Status, lastBytes(string(body), 500))
	}
	return nil
}
