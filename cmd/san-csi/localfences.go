package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
)

// localFences are the fences of the one node that runs in the controller's
// process.
type localFences struct {
	nodeID  string
	changed chan struct{} // holds one

	mu        sync.Mutex
	pending   map[string]int64
	confirmed func(ctx context.Context, nodeID, volumeID string, epoch int64) error // nil before Follow
}

func newLocalFences(nodeID string) *localFences {
	return &localFences{nodeID: nodeID, changed: make(chan struct{}, 1), pending: map[string]int64{}}
}

func (f *localFences) Tell(nodeID, volumeID string, epoch int64) error {
	if nodeID != f.nodeID {
		return fmt.Errorf("node %s is not this process's: %w", nodeID, errDeaf)
	}
	f.mu.Lock()
	f.pending[volumeID] = max(epoch, f.pending[volumeID])
	f.mu.Unlock()
	select {
	case f.changed <- struct{}{}:
	default:
	}
	return nil
}

func (f *localFences) Follow(ctx context.Context, confirmed func(context.Context, string, string, int64) error) {
	f.mu.Lock()
	f.confirmed = confirmed
	f.mu.Unlock()
	<-ctx.Done()
}

func (f *localFences) Pending(context.Context) (map[string]int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.pending), nil
}

func (f *localFences) Confirm(ctx context.Context, volumeID string, epoch int64) error {
	f.mu.Lock()
	confirmed := f.confirmed
	f.mu.Unlock()
	if confirmed == nil {
		return errors.New("the controller does not work yet")
	}
	if err := confirmed(ctx, f.nodeID, volumeID, epoch); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pending[volumeID] <= epoch {
		delete(f.pending, volumeID)
	}
	return nil
}

func (f *localFences) Changed() <-chan struct{} { return f.changed }
func (f *localFences) Announced() error         { return nil }
func (f *localFences) Run(ctx context.Context)  { <-ctx.Done() }
