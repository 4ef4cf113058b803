package kube

import (
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestEvents(t *testing.T) {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "san-csi", Name: "san-csi.io", UID: "uid-1"}}
	client := fake.NewClientset(lease)
	events, err := NewEvents(t.Context(), client, "san-csi", "san-csi.io", "san-csi.io")
	if err != nil {
		t.Fatal(err)
	}
	watch, err := client.CoreV1().Events("san-csi").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	events.Warn("BudgetOverrun", "array a")
	select {
	case change := <-watch.ResultChan():
		e := change.Object.(*corev1.Event)
		if e.Type != corev1.EventTypeWarning || e.Reason != "BudgetOverrun" || e.Message != "array a" || e.Source.Component != "san-csi.io" ||
			e.InvolvedObject.Kind != "Lease" || e.InvolvedObject.UID != "uid-1" || !strings.HasPrefix(e.Name, "san-csi.io.") {
			t.Errorf("event %+v", e)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("no event is told")
	}
	if _, err := NewEvents(t.Context(), client, "san-csi", "other", "san-csi.io"); !apierrors.IsNotFound(err) {
		t.Errorf("about a Lease that is not there: %v", err)
	}
}

// TestNodeEvents: they are where kubectl looks for what is about a Node.
func TestNodeEvents(t *testing.T) {
	client := fake.NewClientset()
	watch, err := client.CoreV1().Events(metav1.NamespaceDefault).Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	NewNodeEvents(t.Context(), client, "worker-1", "san-csi.io").Note("SessionRestored", "volume a:1:0")
	select {
	case change := <-watch.ResultChan():
		e := change.Object.(*corev1.Event)
		if e.Type != corev1.EventTypeNormal || e.Reason != "SessionRestored" || e.Namespace != metav1.NamespaceDefault ||
			e.InvolvedObject.Kind != "Node" || e.InvolvedObject.Name != "worker-1" || e.InvolvedObject.UID != "worker-1" {
			t.Errorf("event %+v", e)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("no event is told")
	}
}
