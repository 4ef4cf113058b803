package provision

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/san"
)

// Grant lets the node reach the volume.
func (f *Flows) Grant(ctx context.Context, id, nodeID string, m san.Mode) (*san.Grant, error) {
	a, h, err := f.resolve(ctx, id)
	if err != nil {
		return nil, err
	}
	n, err := san.ParseNode(nodeID)
	if err != nil {
		return nil, err
	}
	return a.Grant(ctx, h, n, m)
}

// Revoke takes the volume from the node; "" = from every node. When it returns
// nil, what was taken can no longer be written from there. A volume or a node
// that is not known holds nothing: success.
func (f *Flows) Revoke(ctx context.Context, id, nodeID string) error {
	a, h, err := f.resolve(ctx, id)
	if err != nil {
		return gone(err)
	}
	var n san.Node
	if nodeID != "" {
		if n, err = san.ParseNode(nodeID); errors.Is(err, san.ErrNotFound) {
			return nil
		}
	}
	if err := a.Revoke(ctx, h, n); err != nil {
		f.tellNotFenced(ctx, a, h, nodeID, err)
		return err
	}
	return nil
}

// barred is the epoch up to which the node has to confirm that it has let go of
// the volume, 0 where nothing is to be confirmed.
func (f *Flows) barred(ctx context.Context, id string, n san.Node) (int64, error) {
	a, h, err := f.resolve(ctx, id)
	if err != nil {
		return 0, gone(err)
	}
	return a.Barred(ctx, h, n)
}

// Sweep tidies every array at once and then at each interval until the context
// ends: calls that were cut off leave volumes that nobody was handed and access
// that nobody was granted. An array that is slow does not hold up the others
// within one round.
func (f *Flows) Sweep(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		var sweeping sync.WaitGroup
		for _, m := range f.fleet.Members() {
			sweeping.Go(func() {
				if err := m.Array.Sweep(ctx); err != nil && ctx.Err() == nil {
					klog.FromContext(ctx).Error(err, "sweep is not complete, the next one goes on", "array", m.Name)
				}
			})
		}
		sweeping.Wait()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
