package main

import (
	"context"
	"maps"
	"strings"
	"sync"
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

// node is the node's side of the driver.
type node struct {
	service *driver.Node
	stager  *stage.Stager
	fences  nodeFences // nil where nobody tells this node anything
}

// newNode wires the node's rooms.
func newNode(ctx context.Context, client kubernetes.Interface, m *metrics.Metrics, o *options) (*node, error) {
	iscsi, id, err := nodeInitiator(ctx, o)
	if err != nil {
		return nil, err
	}
	topology, err := nodeTopology(ctx, client, o)
	if err != nil {
		return nil, err
	}
	fs := filesystem.New(filesystem.Options{HostRoot: o.hostRoot})
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	n := &node{}
	if n.fences, err = newNodeFences(client, o, id, boot); err != nil {
		return nil, err
	}
	n.stager, err = stage.New(stage.Options{
		Iscsi: iscsi, Daemons: iscsi, Disks: fs, Mounts: fs, RecordsDir: o.records,
		Boot: boot, MaxConcurrent: o.maxConcurrent, Tell: findings(ctx, client, m, o.nodeName), Fences: n.fences,
	})
	if err != nil {
		return nil, err
	}
	standing(m, n.stager)
	options := driver.NodeOptions{Stager: n.stager, Node: id, MaxVolumes: int64(o.maxVolumes), Topology: topology}
	if n.fences != nil {
		options.Stager = announcedStager{n.stager, n.fences}
	}
	n.service = driver.NewNode(options)
	return n, nil
}

// nodeInitiator is the node's initiator, and the node by its name and its key.
func nodeInitiator(ctx context.Context, o *options) (*initiator.Initiator, san.Node, error) {
	own, err := ownInitiator(o)
	if err != nil {
		return nil, san.Node{}, err
	}
	keys, err := openKeyring(o.records)
	if err != nil {
		return nil, san.Node{}, err
	}
	iscsi := initiator.New(initiator.Options{
		Reach: initiator.Reach(o.iscsiadm), Root: o.hostRoot, InitiatorName: o.initiatorName, OwnName: own, Keyring: keys, KeepIscsid: !o.restartIscsid,
		ReplacementTimeout: o.replacement,
	})
	probing, stop := context.WithTimeout(ctx, hostTimeout)
	defer stop()
	if err := iscsi.Probe(probing); err != nil {
		return nil, san.Node{}, err
	}
	if err := iscsi.Prepare(probing); err != nil {
		return nil, san.Node{}, err
	}
	iqn, err := iscsi.Name()
	if err != nil {
		return nil, san.Node{}, err
	}
	node, err := san.NewNode(iqn, o.nodeName)
	if err == nil {
		node, err = node.WithKey(keys.key.Public())
	}
	return iscsi, node, err
}

// background holds what is on the node against its records and fences, until the
// context ends.
func (n *node) background(ctx context.Context, o *options) {
	var running sync.WaitGroup
	running.Go(func() { n.stager.Run(ctx, o.reconcile) })
	if n.fences != nil {
		running.Go(func() { n.fences.Run(ctx) })
		running.Go(func() { obey(ctx, n.fences, n.stager) })
	}
	running.Wait()
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
