package element

import (
	"context"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// cached is a value of the array that seldom changes.
type cached[T any] struct {
	mu    sync.Mutex
	value T
	until time.Time
}

// get is the value, fetched where it is older than refresh. Two callers may
// fetch at once; no lock is held over the call.
func (c *cached[T]) get(ctx context.Context, clk clock.Clock, fetch func(context.Context) (T, error)) (T, error) {
	c.mu.Lock()
	value, fresh := c.value, clk.Now().Before(c.until)
	c.mu.Unlock()
	if fresh {
		return value, nil
	}
	value, err := fetch(ctx)
	if err != nil {
		return value, err
	}
	c.mu.Lock()
	c.value, c.until = value, clk.Now().Add(refresh)
	c.mu.Unlock()
	return value, nil
}

// drop makes the next get fetch.
func (c *cached[T]) drop() {
	c.mu.Lock()
	c.until = time.Time{}
	c.mu.Unlock()
}

// index remembers ids of the array by name. What it says is a hint that its
// user verifies.
type index struct {
	mu  sync.Mutex
	ids map[string]int64
}

func (x *index) get(name string) (int64, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	id, ok := x.ids[name]
	return id, ok
}

func (x *index) put(name string, id int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ids == nil {
		x.ids = map[string]int64{}
	}
	x.ids[name] = id
}

func (x *index) drop(name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.ids, name)
}
