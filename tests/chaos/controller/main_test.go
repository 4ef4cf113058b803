// Package controller kills the controller and the array at random, while a
// mixed load of calls is on its way between them and calls get lost, late or
// slow, and then looks whether the callers' retries made everything whole: no
// object of the array too many or too few, and the budget exact to the IOPS.
package controller

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/san-csi/san-csi/tests/controller"
)

var (
	kills   = flag.Int("kills", 24, "how many kills")
	every   = flag.Int("check-every", 25, "how many kills between two looks at the whole array")
	workers = flag.Int("workers", 8, "how many callers at once")
	seed    = flag.Uint64("seed", 0, "of what is done and what goes wrong; 0 = another one each time. It fixes each caller's and the killer's choices, not the order in which processes get to run")
)

// bin is where the programs are built.
var bin string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "san-csi-chaos-"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(bin)
	if err := controller.Build(context.Background(), bin); err != nil {
		panic(err)
	}
	return m.Run()
}

// TestKills works and kills the driver and the array. What a driver that is dead
// had asked of the array may land when its successor works.
func TestKills(t *testing.T) { endure(t, *kills, false) }

// TestReordered kills the array alone, while calls land late that the driver has
// repeated and others followed.
func TestReordered(t *testing.T) { endure(t, *kills/2, true) }

// endure works and kills, and every so many kills lets all calls come to their end
// and looks at what there is.
func endure(t *testing.T, kills int, reorder bool) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("%d kills, repeat them with -seed %d", kills, *seed)
	w := newWorld(t, budget)
	faults := newFaults(*seed, reorder)
	w.proxy.Decide, w.proxy.Orphan = faults.decide, faults.orphan
	k := newKiller(w, rand.New(rand.NewPCG(*seed, 0)))
	k.spare = reorder
	w.serve(t)
	var crew []*worker
	for n := range *workers {
		crew = append(crew, newWorker(w, n, rand.New(rand.NewPCG(*seed, uint64(n+1)))))
	}
	began := time.Now()
	for done := 0; done < kills; {
		n := min(*every, kills-done)
		faults.on.Store(true)
		w.work(t, crew, func() { k.kill(t, n) })
		faults.on.Store(false)
		done += n
		w.check(t, crew)
		t.Logf("%d kills, %.0f s: %s", done, time.Since(began).Seconds(), describe(crew))
		if t.Failed() {
			t.Fatalf("repeat with -seed %d", *seed)
		}
	}
	w.undo(t, crew)
	t.Logf("kills: %v; faults: %v; calls of the array: %v", k.counts, faults.counts(), w.proxy.Calls())
	t.Logf("ready after a kill: driver %s, array %s (medians)", median(k.driverStarts), median(k.arrayStarts))
	w.scan(t)
}
