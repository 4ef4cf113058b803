package element

import (
	"context"
	"fmt"
	"sync"

	"github.com/san-csi/san-csi/pkg/san"
)

// keyLocks is one lock per key; waiting for one ends with the context. The zero
// value is ready.
type keyLocks[K comparable] struct {
	mu   sync.Mutex
	held map[K]*keyLock
}

type keyLock struct {
	token chan struct{} // holds one token while the lock is free
	users int           // holders and waiters
}

// lock waits for the key and returns what unlocks it.
func (l *keyLocks[K]) lock(ctx context.Context, key K) (func(), error) {
	k := l.enter(key)
	select {
	case <-k.token:
		return func() { l.leave(key, k, true) }, nil
	case <-ctx.Done():
		l.leave(key, k, false)
		return nil, fmt.Errorf("wait for another call on %v: %w: %w", key, san.ErrUnavailable, context.Cause(ctx))
	}
}

// try takes the key if it is free.
func (l *keyLocks[K]) try(key K) (func(), bool) {
	k := l.enter(key)
	select {
	case <-k.token:
		return func() { l.leave(key, k, true) }, true
	default:
		l.leave(key, k, false)
		return nil, false
	}
}

func (l *keyLocks[K]) enter(key K) *keyLock {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = map[K]*keyLock{}
	}
	k, ok := l.held[key]
	if !ok {
		k = &keyLock{token: make(chan struct{}, 1)}
		k.token <- struct{}{}
		l.held[key] = k
	}
	k.users++
	return k
}

func (l *keyLocks[K]) leave(key K, k *keyLock, holder bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if holder {
		k.token <- struct{}{}
	}
	if k.users--; k.users == 0 {
		delete(l.held, key)
	}
}
