package controller

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// The moments of a kill.
const (
	beforeCall = "before a call lands"
	afterCall  = "after a call landed"
	anytime    = "at any time"
)

// busiest is the most calls between two kills.
const busiest = 120

// patience is how long a kill waits for its call.
const patience = 2 * time.Second

// killer kills the driver and the array: in the middle of a call, or whenever.
type killer struct {
	w      *world
	random *rand.Rand
	spare  bool // the driver
	counts map[string]int

	driverStarts, arrayStarts []time.Duration

	mu     sync.Mutex
	left   int    // calls until the kill; 0 = none is awaited
	moment string // of the last of them
	strike func()
	struck chan struct{}
}

// newKiller watches the proxy's calls, which must not have begun.
func newKiller(w *world, random *rand.Rand) *killer {
	k := &killer{w: w, random: random, counts: map[string]int{}}
	w.proxy.Before = func(string) { k.pass(beforeCall) }
	w.proxy.After = func(string) { k.pass(afterCall) }
	return k
}

// pass is told of a call's moments, and strikes at the one that is due: the call
// goes on once its victim is dead.
func (k *killer) pass(moment string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.left == 0 || k.moment != moment {
		return
	}
	if k.left--; k.left == 0 {
		k.strike()
		close(k.struck)
	}
}

// kill kills n times, and starts again what it killed.
func (k *killer) kill(t *testing.T, n int) {
	for range n {
		if t.Failed() {
			return
		}
		driver, array := true, true
		switch v := k.random.IntN(10); {
		case k.spare:
			driver = false
		case v < 5:
			array = false
		case v < 9:
			driver = false
		}
		if driver { // who alone knows what its predecessor's late calls undid
			k.w.proxy.AwaitMended(10 * time.Second)
		}
		k.await(t, k.random.IntN(busiest), []string{beforeCall, afterCall, anytime}[k.random.IntN(3)], driver, array)
		// The survivor and the callers see it dead for a while.
		time.Sleep(time.Duration(k.random.IntN(100)) * time.Millisecond)
		k.revive(t, driver, array)
	}
}

// await kills at the n-th moment of that kind from now on.
func (k *killer) await(t *testing.T, n int, moment string, driver, array bool) {
	strike := func() {
		if driver {
			k.counts["driver "+moment]++
			k.w.proxy.CallerDied()
			must(t, k.w.driver.Kill())
		}
		if array {
			k.counts["array "+moment]++
			must(t, k.w.array.Kill())
		}
	}
	if moment == anytime {
		time.Sleep(time.Duration(n) * 5 * time.Millisecond)
		strike()
		return
	}
	struck := make(chan struct{})
	k.mu.Lock()
	k.left, k.moment, k.strike, k.struck = n+1, moment, strike, struck
	k.mu.Unlock()
	select {
	case <-struck:
	case <-time.After(patience):
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.left > 0 { // nobody called
			k.left = 0
			strike()
		}
	}
}

func (k *killer) revive(t *testing.T, driver, array bool) {
	var starting sync.WaitGroup
	if array {
		starting.Go(func() {
			began := time.Now()
			must(t, k.w.array.Start(t.Context()))
			k.arrayStarts = append(k.arrayStarts, time.Since(began))
		})
	}
	if driver {
		starting.Go(func() {
			began := time.Now()
			must(t, k.w.driver.Start(t.Context()))
			k.driverStarts = append(k.driverStarts, time.Since(began))
		})
	}
	starting.Wait()
}

// must also works where the test's own goroutine does not run.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
