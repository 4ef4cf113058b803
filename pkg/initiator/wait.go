package initiator

import (
	"context"
	"fmt"
	"time"

	"k8s.io/klog/v2"
)

// listen subscribes to uevents. Without them the poll alone carries the waits:
// slower, not wrong.
func (i *Initiator) listen(ctx context.Context) <-chan struct{} {
	events, err := i.subscribe(ctx)
	if err != nil {
		klog.FromContext(ctx).Error(err, "No uevents, polling only", "interval", i.poll)
		return nil
	}
	return events
}

// await looks at sysfs after every uevent, and at a slow rate besides, until
// what is awaited is there, fails, or ctx ends. Subscribe before what is to
// cause the event.
func (i *Initiator) await(ctx context.Context, events <-chan struct{}, what string, seen func() (bool, error)) error {
	poll := time.NewTicker(i.poll)
	defer poll.Stop()
	for {
		done, err := seen()
		if err != nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w: %w", what, ErrUnavailable, ctx.Err())
		case _, open := <-events:
			if !open {
				events = nil
			}
		case <-poll.C:
		}
	}
}

// bounded runs what may block in the kernel, and stops waiting when ctx ends.
// What work wrote may be read only where bounded returned work's own result.
func bounded(ctx context.Context, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
