package main

import (
	"context"
	"errors"
	"io/fs"

	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/driver"
	"github.com/san-csi/san-csi/pkg/kube"
)

// outsideCluster names the cluster of a controller that runs outside of
// Kubernetes.
const outsideCluster = "default"

// connect is a client of the Kubernetes API, or nil where it is not needed. A
// node tells events where it can, and works without.
func connect(o *options) (kubernetes.Interface, error) {
	required := o.leaderElection || o.startupTaint != "" || o.topologyKeys != "" || o.kubeconfig != "" || o.lease.namespace != ""
	if !required && o.cluster != "" && !o.mode.node() {
		return nil, nil
	}
	client, err := kube.Server{
		Kubeconfig: o.kubeconfig, UserAgent: driver.Name + "/" + version, QPS: o.kubeQPS, Burst: o.kubeBurst,
	}.Connect()
	if !required && (errors.Is(err, kube.ErrNotInCluster) || errors.Is(err, fs.ErrNotExist) && (o.cluster != "" || !o.mode.controller())) {
		return nil, nil
	}
	return client, err
}

func newElection(client kubernetes.Interface, l lease) (*kube.Election, error) {
	return kube.NewElection(kube.ElectionOptions{
		Client: client, Namespace: l.namespace, Name: l.name, Identity: l.identity, Duration: l.duration,
	})
}

// clusterName never falls back in a cluster: under another name the driver
// would not know its own volumes again.
func clusterName(ctx context.Context, client kubernetes.Interface, o *options) (string, error) {
	switch {
	case o.cluster != "":
		return o.cluster, nil
	case client == nil:
		return outsideCluster, nil
	}
	name, err := kube.ClusterID(ctx, client)
	if err == nil {
		klog.InfoS("this cluster's name on the arrays is its identity", "cluster", name)
	}
	return name, err
}

// removeStartupTaint is no reason to end: the node serves what is there.
func removeStartupTaint(ctx context.Context, client kubernetes.Interface, o *options) {
	err := kube.RemoveStartupTaint(ctx, client, o.nodeName, driver.Name, o.startupTaint)
	if err != nil && ctx.Err() == nil {
		klog.ErrorS(err, "the start-up taint stays", "node", o.nodeName, "taint", o.startupTaint)
	}
}
