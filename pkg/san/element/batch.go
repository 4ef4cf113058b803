package element

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/san-csi/san-csi/pkg/san"
)

// batcher makes one array call of what several callers want at the same time:
// whoever comes while a call runs goes with the next one. A caller who is alone
// waits for nobody.
type batcher[K, V any] struct {
	// run carries out what is wanted for the keys, all or nothing, and returns a
	// value for each.
	run func(ctx context.Context, keys []K) ([]V, error)

	mu      sync.Mutex
	waiting []*wish[K, V]
	running bool
}

// wish is what one caller wants.
type wish[K, V any] struct {
	ctx   context.Context //nolint:containedctx // of the caller, whose deadline it is
	key   K
	value V
	err   error
	done  chan struct{}
}

func newBatcher[K, V any](run func(ctx context.Context, keys []K) ([]V, error)) *batcher[K, V] {
	return &batcher[K, V]{run: run}
}

// do has the key carried out by a call that begins after do did.
func (b *batcher[K, V]) do(ctx context.Context, key K) (V, error) {
	w := &wish[K, V]{ctx: ctx, key: key, done: make(chan struct{})}
	b.mu.Lock()
	b.waiting = append(b.waiting, w)
	if !b.running {
		b.running = true
		go b.work()
	}
	b.mu.Unlock()
	select {
	case <-w.done:
		return w.value, w.err
	case <-ctx.Done():
		var none V
		return none, fmt.Errorf("wait for the array's answer: %w: %w", san.ErrUnavailable, context.Cause(ctx))
	}
}

// work runs batches until nobody waits.
func (b *batcher[K, V]) work() {
	for {
		batch, more := b.take()
		if !more {
			return
		}
		if len(batch) > 0 {
			b.carryOut(batch)
		}
	}
}

// take is the next batch, without those who have given up.
func (b *batcher[K, V]) take() (batch []*wish[K, V], more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running = len(b.waiting) > 0
	n := min(len(b.waiting), pageSize)
	for _, w := range b.waiting[:n] {
		if w.ctx.Err() == nil {
			batch = append(batch, w)
		}
	}
	b.waiting = b.waiting[n:]
	return batch, b.running
}

// carryOut runs a batch. Where the array refuses it as a whole, each is carried
// out alone, so that one wish spoils no other.
func (b *batcher[K, V]) carryOut(batch []*wish[K, V]) {
	if len(batch) > 1 && b.together(batch) {
		return
	}
	for _, w := range batch {
		var values []V
		if values, w.err = b.run(w.ctx, []K{w.key}); w.err == nil {
			w.value = values[0]
		}
		close(w.done)
	}
}

// together runs a batch as one call, for as long as one of its callers waits.
func (b *batcher[K, V]) together(batch []*wish[K, V]) bool {
	ctx, cancel := context.WithCancel(context.WithoutCancel(batch[0].ctx))
	defer cancel()
	var keys []K
	var left atomic.Int64
	left.Store(int64(len(batch)))
	for _, w := range batch {
		keys = append(keys, w.key)
		stop := context.AfterFunc(w.ctx, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		})
		defer stop()
	}
	values, err := b.run(ctx, keys)
	if err != nil {
		return false
	}
	for i, w := range batch {
		w.value = values[i]
		close(w.done)
	}
	return true
}
