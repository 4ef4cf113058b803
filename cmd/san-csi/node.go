package main

import (
	"context"
	"maps"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/san-csi/san-csi/pkg/driver"
	"github.com/san-csi/san-csi/pkg/filesystem"
	"github.com/san-csi/san-csi/pkg/initiator"
	"github.com/san-csi/san-csi/pkg/kube"
	"github.com/san-csi/san-csi/pkg/metrics"
	"github.com/san-csi/san-csi/pkg/san"
	"github.com/san-csi/san-csi/pkg/stage"
)

// hostTimeout bounds the first look at the host's iSCSI, whose programs may hang.
const hostTimeout = 30 * time.Second

// nodeService wires the node's rooms: the service, and the flows with their
// reconciler.
func nodeService(ctx context.Context, client kubernetes.Interface, m *metrics.Metrics, o *options) (*driver.Node, *stage.Stager, error) {
	iscsi := initiator.New(initiator.Options{Reach: initiator.Reach(o.iscsiadm), Root: o.hostRoot, InitiatorName: o.initiatorName})
	probing, stop := context.WithTimeout(ctx, hostTimeout)
	defer stop()
	if err := iscsi.Probe(probing); err != nil {
		return nil, nil, err
	}
	iqn, err := iscsi.Name()
	if err != nil {
		return nil, nil, err
	}
	node, err := san.NewNode(iqn, o.nodeName)
	if err != nil {
		return nil, nil, err
	}
	topology, err := nodeTopology(ctx, client, o)
	if err != nil {
		return nil, nil, err
	}
	fs := filesystem.New(filesystem.Options{HostRoot: o.hostRoot})
	boot, err := bootID()
	if err != nil {
		return nil, nil, err
	}
	stager, err := stage.New(stage.Options{
		Iscsi: iscsi, Disks: fs, Mounts: fs, RecordsDir: o.records,
		Boot: boot, MaxConcurrent: o.maxConcurrent, Tell: findings(ctx, client, m, o.nodeName),
	})
	if err != nil {
		return nil, nil, err
	}
	standing(m, stager)
	service := driver.NewNode(driver.NodeOptions{Stager: stager, Node: node, MaxVolumes: int64(o.maxVolumes), Topology: topology})
	return service, stager, nil
}

// nodeTopology is what the flags say, and the labels of the Node that they name.
func nodeTopology(ctx context.Context, client kubernetes.Interface, o *options) (map[string]string, error) {
	topology := maps.Clone(map[string]string(o.topology))
	if o.topologyKeys == "" {
		return topology, nil
	}
	labels, err := kube.NodeLabels(ctx, client, o.nodeName, strings.Split(o.topologyKeys, ","))
	if err != nil {
		return nil, err
	}
	maps.Copy(labels, topology)
	return labels, nil
}
