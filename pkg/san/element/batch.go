package element

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/san-csi/san-csi/pkg/san"
)

// batcher puts what several callers want of one key into one call: what arrives
// while a call for the key is under way goes into the next. A lone caller's call
// begins at once. An item is part of a call only if it began after the item came.
type batcher[K comparable, T, R any] struct {
	// call carries out a batch of at most pageSize and gives each item its answer,
	// in their order. Its context ends when no caller waits any more.
	call func(ctx context.Context, key K, items []T) []answer[R]
	// patience is how long items wait for a call under way before they get one beside
	// it: what the array keeps for one volume must hold up no other. 0 = for ever:
	// calls for one key never overlap.
	patience time.Duration

	mu     sync.Mutex
	queues map[K][]waiter[T, R] // has a key while a call for it is under way
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
	switch {
	case b.enter(key, w):
		go b.serve(key, []waiter[T, R]{w})
	case b.patience > 0:
		hurry := time.AfterFunc(b.patience, func() { b.carryOut(key, b.take(key)) })
		defer hurry.Stop()
	}
	select {
	case a := <-w.told:
		return a.value, a.err
	case <-ctx.Done():
		var none R
		return none, fmt.Errorf("wait for the array's answer: %w: %w", san.ErrUnavailable, context.Cause(ctx))
	}
}

// enter queues the waiter behind the call that is under way; true where there is
// none: then the key is the caller's to serve.
func (b *batcher[K, T, R]) enter(key K, w waiter[T, R]) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queues == nil {
		b.queues = map[K][]waiter[T, R]{}
	}
	queue, busy := b.queues[key]
	if busy {
		queue = append(queue, w)
	}
	b.queues[key] = queue
	return !busy
}

func (b *batcher[K, T, R]) serve(key K, batch []waiter[T, R]) {
	for ; len(batch) > 0; batch = b.next(key) {
		b.carryOut(key, batch)
	}
}

func (b *batcher[K, T, R]) carryOut(key K, batch []waiter[T, R]) {
	if len(batch) == 0 {
		return
	}
	ctx, cancel := together(batch)
	defer cancel()
	items := make([]T, len(batch))
	for i, w := range batch {
		items[i] = w.item
	}
	for i, a := range b.call(ctx, key, items) {
		batch[i].told <- a
	}
}

// next is who has come meanwhile and still waits. Where that is nobody, the key
// is free again.
func (b *batcher[K, T, R]) next(key K) []waiter[T, R] {
	b.mu.Lock()
	defer b.mu.Unlock()
	batch := b.waiting(key)
	if len(batch) == 0 {
		delete(b.queues, key)
	}
	return batch
}

// take is who waits for a call that is under way.
func (b *batcher[K, T, R]) take(key K) []waiter[T, R] {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, busy := b.queues[key]; !busy {
		return nil
	}
	return b.waiting(key)
}

// waiting takes a batch from the queue of a busy key. The lock is held.
func (b *batcher[K, T, R]) waiting(key K) []waiter[T, R] {
	queue := slices.DeleteFunc(b.queues[key], func(w waiter[T, R]) bool { return w.ctx.Err() != nil })
	n := min(len(queue), pageSize)
	b.queues[key] = queue[n:]
	return queue[:n:n]
}

// together is a context with the values of the first waiter's, that ends when
// the contexts of all have ended.
func together[T, R any](batch []waiter[T, R]) (context.Context, context.CancelFunc) {
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
