package element

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"k8s.io/klog/v2"
)

const (
	firstPause = 250 * time.Millisecond
	maxPause   = 8 * time.Second
)

// repeat calls a method whose repetition changes nothing more: reads, changes
// to a given value, deletions.
func (c *Client) repeat(ctx context.Context, method string, params, result any) error {
	return c.call(ctx, method, params, result, Transient)
}

// once calls a method that makes an object: it is repeated only where the array
// cannot have got it, or the array would make a second one.
func (c *Client) once(ctx context.Context, method string, params, result any) error {
	return c.call(ctx, method, params, result, notSent)
}

func notSent(err error) bool {
	var unreachable *UnreachableError
	return errors.As(err, &unreachable) && !unreachable.Sent
}

type repeatedKey struct{}

// WatchRepeats has calls with that context tell whether they were repeated: then
// the array may carry out an earlier attempt after the one that it answered.
func WatchRepeats(ctx context.Context) (watched context.Context, repeated *bool) {
	repeated = new(bool)
	return context.WithValue(ctx, repeatedKey{}, repeated), repeated
}

func (c *Client) call(ctx context.Context, method string, params, result any, again func(error) bool) error {
	c.retries.earn()
	as := c.access.Load()
	for n := 1; ; n++ {
		err := c.attempt(ctx, method, params, result)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return err
		case c.renewed(ctx, err, as):
			as = c.access.Load() // the array has done nothing of a call that it refused
			continue
		case !again(err):
			return err
		case n == c.attempts:
			return fmt.Errorf("given up after %d attempts: %w", n, err)
		case !c.retries.spend():
			return fmt.Errorf("given up after %d attempts, too many calls of this array are being repeated: %w", n, err)
		}
		if repeated, ok := ctx.Value(repeatedKey{}).(*bool); ok {
			*repeated = true
		}
		pause := pauseAfter(n)
		klog.FromContext(ctx).V(2).Info("Element call is repeated", "method", method, "attempt", n, "pause", pause, "reason", err)
		if waitErr := c.wait(ctx, pause); waitErr != nil {
			return fmt.Errorf("given up after %d attempts: %w", n, errors.Join(err, waitErr))
		}
	}
}

// renewed tells whether other credentials are there than those that the array
// refused: it has them read again, and leaves a moment for that.
func (c *Client) renewed(ctx context.Context, err error, refused *access) bool {
	var auth *AuthError
	if !errors.As(err, &auth) || c.refused == nil {
		return false
	}
	if c.access.Load() == refused {
		c.refused()
		if c.wait(ctx, pauseAfter(1)) != nil {
			return false
		}
	}
	return c.access.Load() != refused
}

// pauseAfter doubles with each attempt; half of it is chance, so that callers
// that failed together do not come back together.
func pauseAfter(attempt int) time.Duration {
	pause := min(firstPause<<min(attempt-1, 16), maxPause)
	return pause/2 + rand.N(pause/2)
}

// wait pauses, or returns at once where the caller's deadline comes first.
func (c *Client) wait(ctx context.Context, pause time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < pause {
		return context.DeadlineExceeded
	}
	timer := c.clock.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
