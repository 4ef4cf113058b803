package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/watch"
)

// race begins n things at once, each known by a name, and returns how long each took
// until the watch showed that it was done.
func (b *bench) race(ctx context.Context, w watch.Interface, n int,
	begin func(i int) (name string, err error), done func(watch.Event) (name string, ok bool),
) ([]time.Duration, error) {
	defer w.Stop()
	starts, names := make([]time.Time, n), make([]string, n)
	var group errgroup.Group
	ends := map[string]time.Time{}
	begun := make(chan error, 1)
	for i := range n {
		group.Go(func() (err error) {
			starts[i] = time.Now()
			names[i], err = begin(i)
			return err
		})
	}
	go func() { begun <- group.Wait() }()
	waiting := begun
	for len(ends) < n || waiting != nil {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%d of %d done: %w", len(ends), n, ctx.Err())
		case err := <-waiting:
			if err != nil {
				return nil, err
			}
			waiting = nil
		case e, open := <-w.ResultChan():
			if !open {
				return nil, errors.New("the watch has ended")
			}
			if name, ok := done(e); ok && ends[name].IsZero() {
				ends[name] = time.Now()
			}
		}
	}
	took := make([]time.Duration, n)
	for i, name := range names {
		took[i] = ends[name].Sub(starts[i])
	}
	return took, nil
}
