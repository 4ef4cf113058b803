package controller

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
)

// A class whose floors fill a budget of 60 volumes.
const (
	classFloor = 500
	fits       = 60
	asked      = 100
)

// TestSixtyOfAHundred: of 100 volumes asked for at once, never more are made than
// have room, wherever the driver and the array die meanwhile, and whatever gets
// lost between them. A duplicate that a call which was cut off left takes room
// until it is swept, so that a few may be refused too many; once they ask again,
// as callers do, exactly as many are there as have room.
func TestSixtyOfAHundred(t *testing.T) {
	began := *seed
	if began == 0 {
		began = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat with -seed %d", began)
	w := newWorld(t, classFloor*fits)
	faults := newFaults(began, false)
	w.proxy.Decide, w.proxy.Orphan = faults.decide, faults.orphan
	k := newKiller(w, rand.New(rand.NewPCG(began, 0)))
	w.serve(t)
	for round := range 3 {
		crew := make([]*worker, asked)
		for n := range crew {
			crew[n] = newWorker(w, n, rand.New(rand.NewPCG(began, uint64(n+1))))
		}
		faults.on.Store(true)
		under := w.wantAll(t, crew, round, func() { k.kill(t, 4) })
		faults.on.Store(false)
		w.check(t, crew)
		after := w.wantAll(t, crew, round, func() {})
		w.check(t, crew)
		if under[codes.OK] > fits || after[codes.OK] != fits || after[codes.ResourceExhausted] != asked-fits {
			t.Errorf("round %d: %v under the kills, then %v; want %d made and %d refused", round, under, after, fits, asked-fits)
		}
		t.Logf("round %d: %v under the kills, then %v", round, under, after)
		w.undo(t, crew)
		if t.Failed() {
			t.Fatalf("round %d: repeat with -seed %d", round, began)
		}
	}
}

// wantAll has every caller ask for a volume, all at once, beside what while
// does, and counts how that ends.
func (w *world) wantAll(t *testing.T, crew []*worker, round int, while func()) map[codes.Code]int {
	ends := map[codes.Code]int{}
	var mu sync.Mutex
	var asking sync.WaitGroup
	for _, k := range crew {
		asking.Go(func() {
			code := k.want(t, fmt.Sprintf("pvc-%d-%d", round, k.n))
			mu.Lock()
			defer mu.Unlock()
			ends[code]++
		})
	}
	while()
	asking.Wait()
	return ends
}

// want asks for one volume of the class.
func (k *worker) want(t *testing.T, name string) codes.Code {
	var made *csi.Volume
	code := k.call(t, "create "+name, k.creation(name, gib, classFloor, nil, &made), codes.ResourceExhausted)
	if code == codes.OK {
		k.volumes[name] = &volume{id: made.GetVolumeId(), size: made.GetCapacityBytes(), floor: classFloor}
	}
	return code
}
