package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/klog/v2"
)

const (
	// paceEvery and paceBytes bound what the keeper copies: 128 MiB a second.
	paceEvery = 2 * time.Millisecond
	paceBytes = 256 << 10
)

// keeper takes layers away that have become superfluous, one at a time, in the
// background: what it was killed in is begun again at the next start.
type keeper struct {
	store  *Store
	ctx    context.Context
	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond
	queue   []int64 // layers to look at
	queued  map[int64]bool
	busy    bool
}

func newKeeper(s *Store) *keeper {
	k := &keeper{store: s, queued: map[int64]bool{}}
	k.changed = sync.NewCond(&k.mu)
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k
}

func (k *keeper) start() { k.ended.Go(k.run) }

// stop returns when the keeper has ended.
func (k *keeper) stop() {
	k.cancel()
	k.changed.Broadcast()
	k.ended.Wait()
}

// look has layers looked at.
func (k *keeper) look(layers ...int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range layers {
		if !k.queued[id] {
			k.queue, k.queued[id] = append(k.queue, id), true
		}
	}
	k.changed.Broadcast()
}

// next waits for a layer to look at.
func (k *keeper) next() (int64, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.busy = false
	k.changed.Broadcast()
	for len(k.queue) == 0 && k.ctx.Err() == nil {
		k.changed.Wait()
	}
	if k.ctx.Err() != nil {
		return 0, false
	}
	id := k.queue[0]
	k.queue = k.queue[1:]
	delete(k.queued, id)
	k.busy = true
	return id, true
}

// settle waits until there is nothing left to look at, or the keeper ends.
func (k *keeper) settle() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for (k.busy || len(k.queue) > 0) && k.ctx.Err() == nil {
		k.changed.Wait()
	}
}

func (k *keeper) run() {
	for {
		id, ok := k.next()
		if !ok {
			return
		}
		if err := k.store.tidyLayer(k.ctx, id); err != nil && !errors.Is(err, context.Canceled) {
			klog.ErrorS(err, "Merging a layer failed; it is repeated when its volume changes, or at the next start", "layer", id)
		}
	}
}

// pace bounds how fast something is copied.
type pace struct {
	ticker *time.Ticker
	left   int64
}

func newPace() *pace { return &pace{ticker: time.NewTicker(paceEvery), left: paceBytes} }

func (p *pace) stop() { p.ticker.Stop() }

// wait accounts for n bytes that were copied, and returns when more may be. A
// small run costs as much as one of 16 KiB.
func (p *pace) wait(ctx context.Context, n int64) error {
	p.left -= max(n, 16<<10)
	for p.left < 0 {
		select {
		case <-p.ticker.C:
			p.left += paceBytes
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}
