package main

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/san-csi/san-csi/pkg/kube"
)

// TestConnectOnlyWhereAsked: outside of Kubernetes the driver works without it,
// unless it is told to ask it.
func TestConnectOnlyWhereAsked(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	for name, c := range map[string]struct {
		args []string
		want error
	}{
		"a node":                      {args: []string{"--mode=node"}},
		"a controller outside":        {args: []string{"--mode=controller"}},
		"an election outside":         {args: []string{"--mode=controller", "--leader-election"}, want: kube.ErrNotInCluster},
		"a node's Lease, outside":     {args: []string{"--mode=node", "--lease-namespace=ns"}, want: kube.ErrNotInCluster},
		"the start-up taint, outside": {args: []string{"--mode=node", "--startup-taint=a/b"}, want: kube.ErrNotInCluster},
	} {
		client, err := connect(flags(t, c.args...))
		if !errors.Is(err, c.want) || client != nil {
			t.Errorf("%s: client %v, %v; want none, %v", name, client, err, c.want)
		}
	}
}

func TestClusterName(t *testing.T) {
	system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: metav1.NamespaceSystem, UID: "uid-1"}}
	for name, c := range map[string]struct {
		args   []string
		client kubernetes.Interface
		want   string // "" = an error
	}{
		"the flag wins":          {args: []string{"--cluster=prod"}, client: fake.NewClientset(system), want: "prod"},
		"in a cluster":           {client: fake.NewClientset(system), want: "uid-1"},
		"outside":                {want: "default"},
		"a cluster that is mute": {client: fake.NewClientset()},
	} {
		got, err := clusterName(t.Context(), c.client, flags(t, c.args...))
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
}
