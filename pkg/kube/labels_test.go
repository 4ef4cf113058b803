package kube

import (
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestNodeLabels(t *testing.T) {
	client := fake.NewClientset(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"zone": "1", "arch": "x"}}})
	got, err := NodeLabels(t.Context(), client, "n", []string{"zone", "rack"})
	if err != nil || !maps.Equal(got, map[string]string{"zone": "1"}) {
		t.Errorf("%v, %v; want the zone alone", got, err)
	}
	if _, err := NodeLabels(t.Context(), client, "other", []string{"zone"}); err == nil {
		t.Error("labels of a node that is not there")
	}
}
