package kube

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

const kubeconfig = `apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://192.0.2.1:6443"}}]
users: [{name: u, user: {token: t}}]
`

func TestConnect(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if _, err := (Server{}).Connect(); !errors.Is(err, ErrNotInCluster) {
		t.Errorf("no pod and no kubeconfig: %v, want ErrNotInCluster", err)
	}
	path := filepath.Join(t.TempDir(), "config")
	if _, err := (Server{Kubeconfig: path}).Connect(); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a kubeconfig that is not there: %v, want its path", err)
	}
	if err := os.WriteFile(path, []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	s := Server{Kubeconfig: path, UserAgent: "test", QPS: 50, Burst: 100}
	if client, err := s.Connect(); err != nil || client == nil {
		t.Errorf("a good kubeconfig: %v", err)
	}
	config, err := s.config()
	if err != nil || config.UserAgent != "test" || config.QPS != 50 || config.Burst != 100 {
		t.Errorf("%+v: %+v, %v", s, config, err)
	}
}

func TestClusterID(t *testing.T) {
	system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: metav1.NamespaceSystem, UID: "8a4e4a5c-0d3c-4b77-9d5f-0a4c8c1d2e3f"}}
	id, err := ClusterID(t.Context(), fake.NewClientset(system))
	if err != nil || id != string(system.UID) {
		t.Errorf("%q, %v; want %s", id, err, system.UID)
	}
	if id, err := ClusterID(t.Context(), fake.NewClientset()); id != "" || !apierrors.IsNotFound(err) {
		t.Errorf("no kube-system: %q, %v", id, err)
	}
	system.UID = ""
	if id, err := ClusterID(t.Context(), fake.NewClientset(system)); id != "" || err == nil {
		t.Errorf("no UID: %q, %v", id, err)
	}
}
