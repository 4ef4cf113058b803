package kube

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// NodeLabels are those of a Node's labels that have one of the keys. The right
// to get the Node is all that it needs.
func NodeLabels(ctx context.Context, client kubernetes.Interface, node string, keys []string) (map[string]string, error) {
	object, err := client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("labels of node %s: %w", node, err)
	}
	found := map[string]string{}
	for _, key := range keys {
		if value, ok := object.Labels[key]; ok {
			found[key] = value
		}
	}
	return found, nil
}
