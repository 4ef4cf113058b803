package kube

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedv1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/tools/reference"
)

// Events tells of what concerns the driver as a whole: about the Lease that its
// controller holds, or about the Node that it serves. Repeated ones are counted up, not repeated.
type Events struct {
	recorder record.EventRecorder
	about    *corev1.ObjectReference
}

// NewEvents tells about the Lease of that name, until the context ends. The
// rights to get it, and to create and patch events beside it, are all that it
// needs.
func NewEvents(ctx context.Context, client kubernetes.Interface, namespace, lease, component string) (*Events, error) {
	object, err := client.CoordinationV1().Leases(namespace).Get(ctx, lease, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("events about lease %s/%s: %w", namespace, lease, err)
	}
	about, err := reference.GetReference(scheme.Scheme, object)
	if err != nil {
		return nil, fmt.Errorf("events about lease %s/%s: %w", namespace, lease, err)
	}
	return newEvents(ctx, client, namespace, component, about), nil
}

func newEvents(ctx context.Context, client kubernetes.Interface, namespace, component string, about *corev1.ObjectReference) *Events {
	return &Events{recorder: newRecorder(ctx, client, namespace, component), about: about}
}

// newRecorder writes events of that namespace, "" = of any, until the context
// ends.
func newRecorder(ctx context.Context, client kubernetes.Interface, namespace, component string) record.EventRecorder {
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	broadcaster.StartRecordingToSink(&typedv1.EventSinkImpl{Interface: client.CoreV1().Events(namespace)})
	context.AfterFunc(ctx, broadcaster.Shutdown)
	return broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: component})
}

// Note tells of what was done. It returns at once.
func (e *Events) Note(reason, message string) {
	e.recorder.Event(e.about, corev1.EventTypeNormal, reason, message)
}

// Warn tells of what should not be. It returns at once.
func (e *Events) Warn(reason, message string) {
	e.recorder.Event(e.about, corev1.EventTypeWarning, reason, message)
}
