package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/tools/reference"
	"k8s.io/klog/v2"
)

// waiting bounds the events whose claim has not been looked up yet; more are
// dropped, and that is logged.
const waiting = 256

// Claims asks and tells of PersistentVolumeClaims, each named by namespace/name.
type Claims struct {
	client   kubernetes.Interface
	telling  kubernetes.Interface
	recorder record.EventRecorder
	queue    chan claimEvent
}

type claimEvent struct{ claim, kind, reason, message string }

// NewClaims asks by client, and tells in events of that component by telling, until
// the context ends. They are two, each with its own bounds, so that a burst of events
// keeps no volume waiting. The rights to get claims, and to create and patch events
// beside them, are all that it needs.
func NewClaims(ctx context.Context, client, telling kubernetes.Interface, component string) *Claims {
	c := &Claims{
		client:   client,
		telling:  telling,
		recorder: newRecorder(ctx, telling, metav1.NamespaceAll, component),
		queue:    make(chan claimEvent, waiting),
	}
	go c.send(ctx)
	return c
}

// Class is the name of the claim's StorageClass, "" = it has none.
func (c *Claims) Class(ctx context.Context, claim string) (string, error) {
	object, err := get(ctx, c.client, claim)
	if err != nil || object.Spec.StorageClassName == nil {
		return "", err
	}
	return *object.Spec.StorageClassName, nil
}

// Tell tells of the claim in an event. It returns at once: who the claim is, is
// looked up later, since an event without its UID is shown by nobody.
func (c *Claims) Tell(claim string, warning bool, reason, message string) {
	kind := corev1.EventTypeNormal
	if warning {
		kind = corev1.EventTypeWarning
	}
	select {
	case c.queue <- claimEvent{claim, kind, reason, message}:
	default:
		klog.InfoS("too many events are waiting: one is not told", "claim", claim, "reason", reason, "message", message)
	}
}

func (c *Claims) send(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-c.queue:
			if err := c.tell(ctx, e); err != nil && ctx.Err() == nil {
				klog.FromContext(ctx).V(2).Info("an event is not told", "claim", e.claim, "reason", e.reason, "err", err)
			}
		}
	}
}

func (c *Claims) tell(ctx context.Context, e claimEvent) error {
	object, err := get(ctx, c.telling, e.claim)
	if err != nil {
		return err
	}
	about, err := reference.GetReference(scheme.Scheme, object)
	if err != nil {
		return err
	}
	c.recorder.Event(about, e.kind, e.reason, e.message)
	return nil
}

var errClaimName = errors.New("not of the form namespace/name")

func get(ctx context.Context, client kubernetes.Interface, claim string) (*corev1.PersistentVolumeClaim, error) {
	namespace, name, ok := strings.Cut(claim, "/")
	if !ok || namespace == "" || name == "" {
		return nil, fmt.Errorf("claim %q: %w", claim, errClaimName)
	}
	object, err := client.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("claim %s: %w", claim, err)
	}
	return object, nil
}
