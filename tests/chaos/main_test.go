//go:build chaos

// Package chaos kills the driver, iscsid and the array at random points of a
// volume's life and then looks whether the caller's retries made it whole: no
// volume, session, mount, record or access too many or too few.
package chaos

import (
	"flag"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/san-csi/san-csi/tests/guest"
	"github.com/san-csi/san-csi/tests/lab"
)

var (
	rounds = flag.Int("rounds", 100, "how many kills")
	seed   = flag.Uint64("seed", 0, "of the random points; 0 = another one each time")
)

func TestMain(m *testing.M) {
	flag.Parse()
	guest.Isolate()
	os.Exit(m.Run())
}

// TestChaos lives one volume's life a round, with one kill in the middle of one
// of its calls.
func TestChaos(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("%d rounds, repeat them with -seed %d", *rounds, *seed)
	random := rand.New(rand.NewPCG(*seed, 0))
	w := newWorld(t)
	counts := map[string]int{}
	var queue []fault
	for i := range *rounds {
		if len(queue) == 0 {
			queue = faults(random)
		}
		f := queue[0]
		queue = queue[1:]
		f.after = random.Float64()
		counts[string(f.victim)+" during "+string(f.during)]++
		start := time.Now()
		w.round(t, i, f)
		t.Logf("round %d: %s, %.1f s", i, f, time.Since(start).Seconds())
		if t.Failed() {
			t.Fatalf("round %d: %s: see above; repeat with -seed %d", i, f, *seed)
		}
	}
	t.Logf("kills: %v", counts)
	if err := w.lab.CheckSecrets(t.Context(), w.node); err != nil {
		t.Error(err)
	}
}

// world is what a round works on.
type world struct {
	lab   *lab.Lab
	node  *lab.Node
	proxy *proxy
	took  map[call]time.Duration // how long the calls take, to aim the kills
}

func newWorld(t *testing.T) *world {
	t.Helper()
	l, err := lab.Open(t.Context(), "../../bin")
	if err != nil {
		t.Fatal(err)
	}
	p, err := startProxy(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	end, err := l.CollectSpans()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = end() })
	n, err := l.Boot(t.Context(), "node-a")
	if err != nil {
		t.Fatal(err)
	}
	// A short interval: what a killed call left is to be gone soon.
	if err := n.StartDriver(t.Context(), "--sweep-interval=1s"); err != nil {
		t.Fatal(err)
	}
	return &world{lab: l, node: n, proxy: p, took: map[call]time.Duration{}}
}
