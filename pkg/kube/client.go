// Package kube is what the driver asks of the Kubernetes API: the Lease that
// makes one controller the only one, the cluster's identity, events about the
// driver and about claims, the handles that the cluster's objects name, and a
// node's labels and start-up taint. It imports nothing of ours.
package kube

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// ErrNotInCluster: no kubeconfig was given, and this process is no pod.
var ErrNotInCluster = errors.New("not in a Kubernetes cluster, and no kubeconfig is given")

// Server is an API server and how it is spoken to.
type Server struct {
	// Kubeconfig names it; "" is the cluster whose pod this process is.
	Kubeconfig string
	UserAgent  string
	// QPS is how many calls a second are made, Burst how many at once; further
	// ones wait. 0 is client-go's 5 and 10.
	QPS   float64
	Burst int
}

// Connect is a client of the server. Nothing is asked of it yet.
func (s Server) Connect() (kubernetes.Interface, error) {
	config, err := s.config()
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("kubernetes client: %w", err)
	}
	return client, nil
}

// ConnectDynamic is Connect for objects of kinds that are not Kubernetes' own.
func (s Server) ConnectDynamic() (dynamic.Interface, error) {
	config, err := s.config()
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("kubernetes client: %w", err)
	}
	return client, nil
}

func (s Server) config() (*rest.Config, error) {
	config, err := find(s.Kubeconfig)
	if err != nil {
		return nil, err
	}
	config.UserAgent, config.QPS, config.Burst = s.UserAgent, float32(s.QPS), s.Burst
	return config, nil
}

func find(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		config, err := rest.InClusterConfig()
		if errors.Is(err, rest.ErrNotInCluster) {
			return nil, ErrNotInCluster
		}
		if err != nil {
			return nil, fmt.Errorf("the pod's service account: %w", err)
		}
		return config, nil
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", kubeconfig, err)
	}
	return config, nil
}

// ClusterID is the UID of the namespace kube-system, which lives as long as the
// cluster and is no other cluster's: 36 bytes. The right to get that namespace
// is all that it needs.
func ClusterID(ctx context.Context, client kubernetes.Interface) (string, error) {
	ns, err := client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("the cluster's identity, get namespace %s: %w", metav1.NamespaceSystem, err)
	}
	if ns.UID == "" {
		return "", fmt.Errorf("the cluster's identity: namespace %s has no UID", metav1.NamespaceSystem)
	}
	return string(ns.UID), nil
}
