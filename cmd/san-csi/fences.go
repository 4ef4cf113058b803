package main

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/client-go/kubernetes"

	"github.com/san-csi/san-csi/pkg/driver"
	"github.com/san-csi/san-csi/pkg/kube"
	"github.com/san-csi/san-csi/pkg/provision"
	"github.com/san-csi/san-csi/pkg/san"
	"github.com/san-csi/san-csi/pkg/stage"
)

// nodeFences is what a node is told of fences, and confirms.
type nodeFences interface {
	stage.Fences
	Changed() <-chan struct{} // receives when there may be something new
	Announced() error         // nil once something may be staged
	Run(ctx context.Context)
}

// newNodeFences are this node's fences: by its Lease, or, where controller and
// node are one process, within it; nil where nobody tells this node anything.
func newNodeFences(client kubernetes.Interface, o *options, n san.Node, boot string) (nodeFences, error) {
	switch {
	case o.lease.namespace != "":
		return kube.NewNodeFences(kube.NodeFenceOptions{Client: client, Namespace: o.lease.namespace, Node: o.nodeName, NodeID: speaker(n), Boot: boot})
	case o.mode == modeAll:
		return newLocalFences(speaker(n)), nil
	}
	return nil, nil
}

// speaker is the node ID under which a node is told and confirms.
func speaker(n san.Node) string { return san.Node{IQN: n.IQN, Tag: n.Tag}.String() }

// newNotices is how this controller tells nodes of fences.
func newNotices(client kubernetes.Interface, o *options, local nodeFences) (provision.Notices, error) {
	if l, ok := local.(*localFences); ok {
		return l, nil
	}
	if o.lease.namespace == "" || client == nil {
		return deaf{}, nil
	}
	return kube.NewFences(kube.FenceOptions{Client: client, Namespace: o.lease.namespace, Owns: owns})
}

// owns tells whether a node ID is of the node of that name.
func owns(node, nodeID string) bool {
	n, err := san.ParseNode(nodeID)
	if err != nil {
		return false
	}
	of, err := san.NewNode(n.IQN, node)
	return err == nil && of.Tag == n.Tag
}

// deaf are the notices of a controller without a way to its nodes.
type deaf struct{}

var errDeaf = errors.New("this controller has no --lease-namespace, so that nodes cannot confirm anything")

func (deaf) Tell(string, string, int64) error { return errDeaf }

func (deaf) Follow(ctx context.Context, _ func(context.Context, string, string, int64) error) {
	<-ctx.Done()
}

// announcedStager stages nothing in a boot of the host that is not told yet:
// otherwise a reboot could not be told from it.
type announcedStager struct {
	driver.Stager
	fences nodeFences
}

func (s announcedStager) Stage(ctx context.Context, r stage.StageRequest) error {
	if err := s.fences.Announced(); err != nil {
		return fmt.Errorf("stage %s: %w: %w", r.VolumeID, stage.ErrUnavailable, err)
	}
	return s.Stager.Stage(ctx, r)
}

// obey has the reconciler look at once when the controller fenced something.
func obey(ctx context.Context, fences nodeFences, stager *stage.Stager) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-fences.Changed():
			stager.Reconcile(ctx)
		}
	}
}
