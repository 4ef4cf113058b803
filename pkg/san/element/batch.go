package element

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/san-csi/san-csi/pkg/san"
)

// batcher puts what several callers want of one key into one call: what arrives
// while as many calls for the key are under way as may be goes into the next. A
// lone caller's call begins at once, and an item is part of a call only if that
// began after the item came.
type batcher[K comparable, T, R any] struct {
	// call carries out a batch of at most pageSize and gives each item its answer,
	// in their order. Its context ends when no caller waits any more.
	call func(ctx context.Context, key K, items []T) []answer[R]
	// width is how many calls for one key may overlap, so that one which the array
	// keeps holds up no others; 0 = none may.
	width int

	mu     sync.Mutex
	queues map[K]*queue[T, R] // has a key while a call for it is under way
}

type queue[T, R any] struct {
	calls   int // under way
	waiting []waiter[T, R]
}

type answer[R any] struct {
	value R
	err   error
}

type waiter[T, R any] struct {
	ctx  context.Context
	item T
	told chan answer[R] // takes one without a reader
}

// do returns the item's answer, or when the caller's context ends: then the item
// may be carried out all the same.
func (b *batcher[K, T, R]) do(ctx context.Context, key K, item T) (R, error) {
	w := waiter[T, R]{ctx, item, make(chan answer[R], 1)}
	if b.enter(key, w) {
		go b.serve(key, []waiter[T, R]{w})
	}
	select {
	case a := <-w.told:
		return a.value, a.err
	case <-ctx.Done():
		var none R
		return none, fmt.Errorf("wait for the array's answer: %w: %w", san.ErrUnavailable, context.Cause(ctx))
	}
}

// enter queues the waiter behind the calls that are under way; true where there
// may be one more: then that is the caller's to serve.
func (b *batcher[K, T, R]) enter(key K, w waiter[T, R]) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queues == nil {
		b.queues = map[K]*queue[T, R]{}
	}
	q := b.queues[key]
	if q == nil {
		q = &queue[T, R]{}
		b.queues[key] = q
	}
	if q.calls < max(1, b.width) {
		q.calls++
		return true
	}
	q.waiting = append(q.waiting, w)
	return false
}

func (b *batcher[K, T, R]) serve(key K, batch []waiter[T, R]) {
	for ; len(batch) > 0; batch = b.next(key) {
		ctx, cancel := together(batch)
		items := make([]T, len(batch))
		for i, w := range batch {
			items[i] = w.item
		}
		for i, a := range b.call(ctx, key, items) {
			batch[i].told <- a
		}
		cancel()
	}
}

// next is who has come meanwhile and still waits. Where that is nobody, the call
// is over, and after the last one the key is free again.
func (b *batcher[K, T, R]) next(key K) []waiter[T, R] {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queues[key]
	q.waiting = slices.DeleteFunc(q.waiting, func(w waiter[T, R]) bool { return w.ctx.Err() != nil })
	if n := min(len(q.waiting), pageSize); n > 0 {
		batch := q.waiting[:n:n]
		q.waiting = q.waiting[n:]
		return batch
	}
	if q.calls--; q.calls == 0 {
		delete(b.queues, key)
	}
	return nil
}

// together is a context with the values of the first waiter's, that ends when
// the contexts of all have ended.
func together[T, R any](batch []waiter[T, R]) (context.Context, context.CancelFunc) {
	if len(batch) == 1 {
		return context.WithCancel(batch[0].ctx) // whose deadline the call may know
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(batch[0].ctx))
	var left atomic.Int64
	left.Store(int64(len(batch)))
	stops := make([]func() bool, len(batch))
	for i, w := range batch {
		stops[i] = context.AfterFunc(w.ctx, func() {
			if left.Add(-1) == 0 {
				cancel(context.Cause(w.ctx))
			}
		})
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel(nil)
	}
}

// same is one answer for every item of a batch.
func same[R any](n int, value R, err error) []answer[R] {
	answers := make([]answer[R], n)
	for i := range answers {
		answers[i] = answer[R]{value, err}
	}
	return answers
}
