package element

import (
	"context"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"

	api "github.com/san-csi/san-csi/pkg/element"
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

// groupCache remembers access groups by their initiators, as they were last
// seen. What it says is a hint that its user verifies by the answer to a change.
type groupCache struct {
	mu    sync.Mutex
	byIQN map[string]group
	all   bool // every group of the array was seen
}

// get is the initiator's group; all tells that one that is not known is not there.
func (c *groupCache) get(iqn string) (g group, known, all bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g, known = c.byIQN[iqn]
	return g, known, c.all
}

func (c *groupCache) put(g group) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set(g, true)
}

// fill takes in every group of the array, but for what was learnt of an
// initiator meanwhile.
func (c *groupCache) fill(groups []group) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range groups {
		c.set(g, false)
	}
	c.all = true
}

func (c *groupCache) set(g group, replace bool) {
	if c.byIQN == nil {
		c.byIQN = map[string]group{}
	}
	for _, iqn := range g.Initiators {
		iqn = strings.ToLower(iqn)
		if _, known := c.byIQN[iqn]; replace || !known {
			c.byIQN[iqn] = g
		}
	}
}

func (c *groupCache) drop(iqn string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byIQN, iqn)
}

// unsure: there may be groups that were not seen.
func (c *groupCache) unsure() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = false
}

// recent remembers volumes as this process last read or changed them under their
// locks. After refresh what it remembers is forgotten.
type recent struct {
	mu     sync.Mutex
	seen   map[int64]sighting
	pruned time.Time
}

type sighting struct {
	volume api.Volume
	at     time.Time
}

// get is the volume as it was less than age ago.
func (c *recent) get(id int64, now time.Time, age time.Duration) (api.Volume, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.seen[id]
	return s.volume, ok && now.Sub(s.at) < age
}

func (c *recent) put(v api.Volume, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.pruned) >= refresh {
		for id, s := range c.seen {
			if now.Sub(s.at) >= refresh {
				delete(c.seen, id)
			}
		}
		c.pruned = now
	}
	if c.seen == nil {
		c.seen = map[int64]sighting{}
	}
	c.seen[v.VolumeID] = sighting{v, now}
}

func (c *recent) drop(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.seen, id)
}
