package kube

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
)

func TestClaims(t *testing.T) {
	class := "gold"
	claims := []runtime.Object{
		&corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "data", UID: "uid-1"},
			Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: &class}},
		&corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "none"}},
	}
	client, telling := fake.NewClientset(claims...), fake.NewClientset(claims...)
	c := NewClaims(t.Context(), client, telling, "san-csi.io")
	for claim, want := range map[string]string{"shop/data": "gold", "shop/none": ""} {
		if got, err := c.Class(t.Context(), claim); err != nil || got != want {
			t.Errorf("class of %s: %q, %v; want %q", claim, got, err, want)
		}
	}
	if _, err := c.Class(t.Context(), "shop/other"); !apierrors.IsNotFound(err) {
		t.Errorf("a claim that is not there: %v", err)
	}
	for _, odd := range []string{"", "data", "/data", "shop/"} {
		if _, err := c.Class(t.Context(), odd); err == nil {
			t.Errorf("%q is taken for a claim", odd)
		}
	}
	watch, err := telling.CoreV1().Events("shop").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.Tell("shop/other", true, "NotFenced", "of a claim that is gone")
	c.Tell("shop/data", false, "QoSInForce", "minIOPS 500")
	select {
	case change := <-watch.ResultChan():
		e := change.Object.(*corev1.Event)
		if e.Type != corev1.EventTypeNormal || e.Reason != "QoSInForce" || e.Message != "minIOPS 500" || e.Namespace != "shop" ||
			e.InvolvedObject.Kind != "PersistentVolumeClaim" || e.InvolvedObject.UID != "uid-1" || e.InvolvedObject.Name != "data" {
			t.Errorf("event %+v", e)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("no event is told")
	}
	if asked := client.Actions(); len(asked) != 3 {
		t.Errorf("events use the bounds of the questions for classes: %v", asked)
	}
}

// TestTellDoesNotWait: an API server that does not answer costs events, never time.
func TestTellDoesNotWait(t *testing.T) {
	c := &Claims{queue: make(chan claimEvent, 2)}
	for range 3 {
		c.Tell("shop/data", false, "QoSInForce", "")
	}
	if len(c.queue) != 2 {
		t.Errorf("%d events are waiting", len(c.queue))
	}
}
