package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/san"
)

// Notices is how nodes are told what they were fenced from, and how they say
// that it is over.
type Notices interface {
	// Tell lets a node know that its grants of a volume up to that epoch are over.
	// It does not wait. An error says why the node cannot hear it now.
	Tell(nodeID, volumeID string, epoch int64) error
	// Follow calls confirmed with what nodes confirm, again where that fails, until
	// the context ends.
	Follow(ctx context.Context, confirmed func(ctx context.Context, nodeID, volumeID string, epoch int64) error)
}

// tellTimeout bounds the look for what is to be told after a revoke.
const tellTimeout = 2 * time.Second

// Fences are the grants and revokes of Flows, with what follows a fence: a node
// that kept a session is asked to let go of the volume, and gets a new grant when
// it has said that it did. Which node waits for which volume is on the array; a
// notice that is lost is given again when the node is to get the volume again.
type Fences struct {
	flows   *Flows
	notices Notices
}

// NewFences are the fences of those flows.
func NewFences(f *Flows, n Notices) *Fences { return &Fences{flows: f, notices: n} }

// Grant lets the node reach the volume.
func (f *Fences) Grant(ctx context.Context, id, nodeID string, m san.Mode) (*san.Grant, error) {
	g, err := f.flows.Grant(ctx, id, nodeID, m)
	var barred *san.FencedError
	if !errors.As(err, &barred) {
		return g, err
	}
	if told := f.notices.Tell(speaker(barred.Node), id, barred.Epoch); told != nil {
		return nil, fmt.Errorf("%w; %w (docs/fencing.md has the way out)", err, told)
	}
	return nil, fmt.Errorf("%w; it was told to let go, and confirms that by itself or by a reboot", err)
}

// Revoke takes the volume from the node, as Flows.Revoke does. A fence that could
// not be ended is told as well: the node may end it.
func (f *Fences) Revoke(ctx context.Context, id, nodeID string) error {
	err := f.flows.Revoke(ctx, id, nodeID)
	if nodeID == "" || err != nil && !errors.Is(err, san.ErrUnavailable) {
		return err
	}
	// The caller's time may be over; what is known of the volume needs none.
	telling, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTimeout)
	defer cancel()
	if told := f.tell(telling, id, nodeID); told != nil {
		klog.FromContext(ctx).Error(told, "A node is not told yet what it was fenced from", "volumeID", id, "nodeID", nodeID)
	}
	return err
}

// tell tells the node what it is barred from, if it is.
func (f *Fences) tell(ctx context.Context, id, nodeID string) error {
	n, err := san.ParseNode(nodeID)
	if errors.Is(err, san.ErrNotFound) {
		return nil
	}
	epoch, err := f.flows.barred(ctx, id, n)
	if err != nil || epoch == 0 {
		return err
	}
	return f.notices.Tell(speaker(n), id, epoch)
}

// Run takes confirmations to the arrays until the context ends.
func (f *Fences) Run(ctx context.Context) { f.notices.Follow(ctx, f.confirm) }

// confirm ends what bars a node. A volume that is not there any more has nothing
// to end.
func (f *Fences) confirm(ctx context.Context, nodeID, volumeID string, epoch int64) error {
	n, err := san.ParseNode(nodeID)
	if err != nil {
		return err
	}
	a, h, err := f.flows.resolve(ctx, volumeID)
	if err != nil {
		return gone(err)
	}
	return a.Confirm(ctx, h, n, epoch)
}

// speaker is the node ID under which a node is told and confirms.
func speaker(n san.Node) string { return san.Node{IQN: n.IQN, Tag: n.Tag}.String() }
