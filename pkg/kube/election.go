package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// ErrLost: the Lease could not be renewed in time. Another process may lead
// already, so this one has to end at once.
var ErrLost = errors.New("the Lease is lost")

// ElectionOptions are what an election is held with.
type ElectionOptions struct {
	Client    kubernetes.Interface
	Namespace string
	Name      string // of the Lease
	// Identity of this process. Where nothing but a restart in place can have
	// it again (a pod's name), a restarted leader leads again without a wait.
	Identity string
	// Duration after which a Lease that was not renewed may be taken. The
	// holder gives up after two thirds of it, and renews every 2/15.
	Duration time.Duration
}

// Election is one process's part in who holds the Lease.
type Election struct {
	lock    resourcelock.Interface
	elector *leaderelection.LeaderElector
	elected chan struct{} // closed when this process leads
}

// NewElection checks the options; nothing is asked of the API server yet. An
// Election is good for one Lead.
func NewElection(o ElectionOptions) (*Election, error) {
	if o.Namespace == "" || o.Name == "" || o.Identity == "" {
		return nil, fmt.Errorf("election: namespace %q, name %q and identity %q are all needed", o.Namespace, o.Name, o.Identity)
	}
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, o.Namespace, o.Name,
		o.Client.CoreV1(), o.Client.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: o.Identity})
	if err != nil {
		return nil, fmt.Errorf("election: %w", err)
	}
	e := &Election{lock: lock, elected: make(chan struct{})}
	e.elector, err = leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:          lock,
		LeaseDuration: o.Duration,
		RenewDeadline: o.Duration * 2 / 3,
		RetryPeriod:   o.Duration * 2 / 15,
		// Not ReleaseOnCancel: after a failed renewal it would ask the same
		// silent API server once more, past the Lease's end, before the loss
		// is told. Lead releases where that is due.
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { close(e.elected) },
			OnStoppedLeading: func() {},
		},
		Name: o.Name,
	})
	if err != nil {
		return nil, fmt.Errorf("election, lease of %s: %w", o.Duration, err)
	}
	return e, nil
}

// Lead waits until this process holds the Lease, then does the work. When the
// context ends the Lease is still renewed until the work has ended, and then
// given back, so that a standby need not wait for its end. A Lease lost under the work is
// ErrLost at once: the work's context has ended, the work itself may not have.
func (e *Election) Lead(ctx context.Context, work func(context.Context) error) error {
	holding, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	over := make(chan struct{})
	go func() {
		defer close(over)
		e.elector.Run(holding)
	}()
	select {
	case <-ctx.Done():
		stop()
		<-over
		return e.release(ctx)
	case <-e.elected:
	}
	klog.FromContext(ctx).Info("leading", "lease", e.lock.Describe(), "identity", e.lock.Identity())
	working, end := context.WithCancel(ctx)
	defer end()
	done := make(chan error, 1)
	go func() { done <- work(working) }()
	select {
	case <-over:
		return fmt.Errorf("lease %s: %w", e.lock.Describe(), ErrLost)
	case err := <-done:
		stop()
		<-over
		return errors.Join(err, e.release(ctx))
	}
}

// releaseTimeout bounds the last call of a process that ends; past it the
// Lease runs out by itself.
const releaseTimeout = 5 * time.Second

// release gives back the Lease if it is ours.
func (e *Election) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if !e.elector.IsLeader() {
		return nil
	}
	record, _, err := e.lock.Get(ctx)
	if err != nil {
		return fmt.Errorf("release lease %s: %w", e.lock.Describe(), err)
	}
	if record.HolderIdentity != e.lock.Identity() {
		return nil
	}
	// An empty holder is free for all; the API allows no duration below 1 s.
	record.HolderIdentity, record.LeaseDurationSeconds = "", 1
	if err := e.lock.Update(ctx, *record); err != nil {
		return fmt.Errorf("release lease %s: %w", e.lock.Describe(), err)
	}
	return nil
}

// Healthy is an error where this process holds a Lease whose end has passed and
// has not noticed: its election has come to a halt.
func (e *Election) Healthy(context.Context) error {
	if err := e.elector.Check(0); err != nil {
		return fmt.Errorf("lease %s: %w", e.lock.Describe(), err)
	}
	return nil
}
