package kube

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// NewNodeEvents tells about the Node of that name, until the context ends.
// Nothing is asked of the server before the first event; the rights to create and
// patch events in the namespace default, where those about Nodes are, are all
// that it needs.
func NewNodeEvents(ctx context.Context, client kubernetes.Interface, node, component string) *Events {
	// The kubelet's own events have the name as the UID too: kubectl looks for it.
	about := &corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: node, UID: types.UID(node)}
	return newEvents(ctx, client, metav1.NamespaceDefault, component, about)
}
