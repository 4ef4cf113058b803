package controller

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"

	"github.com/san-csi/san-csi/tests/controller"
	"github.com/san-csi/san-csi/tests/secrets"
)

// sweepInterval is how often the driver looks for leftovers: often, so that they
// are gone soon where a test waits for it.
const sweepInterval = 300 * time.Millisecond

// budget is little enough that it is often used up, IOPS.
const budget = 12_000

// world is what the callers work on.
type world struct {
	dir    string
	bound  int64
	array  *controller.Array
	proxy  *controller.Proxy
	driver *controller.Driver
	spans  *secrets.Collector

	volumes csi.ControllerClient
	groups  csi.GroupControllerClient

	mu   sync.Mutex
	told strings.Builder // to the callers: errors and publish contexts
}

// newWorld starts an array with a proxy before it. Its data are on a disk, as
// they are where it counts.
func newWorld(t *testing.T, bound int64) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), bound: bound}
	var err error
	if w.array, err = controller.StartArray(t.Context(), bin, w.dir+"/array", 200_000); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.array.Kill() })
	if w.proxy, err = controller.StartProxy(w.array, w.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.proxy.Close)
	if w.spans, err = secrets.Collect("127.0.0.1:0", w.dir+"/spans"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.spans.Close() })
	return w
}

// serve starts the driver.
func (w *world) serve(t *testing.T) {
	t.Helper()
	url, ca := w.proxy.Endpoint()
	var err error
	w.driver, err = controller.StartDriver(t.Context(), bin, w.dir, []controller.Reached{{
		Name: "a", Endpoint: url, Username: w.array.Username, Password: w.array.Password, CAFile: ca, CapacityIOPS: w.bound,
	}}, "--sweep-interval="+sweepInterval.String(), "--resync-interval=1s", "--tracing-endpoint="+w.spans.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.driver.Kill() })
	w.volumes, w.groups = csi.NewControllerClient(w.driver.Conn), csi.NewGroupControllerClient(w.driver.Conn)
}

// work has the callers call until while is done, and each end what it began.
func (w *world) work(t *testing.T, crew []*worker, while func()) {
	var stop atomic.Bool
	var working sync.WaitGroup
	for _, k := range crew {
		working.Go(func() {
			for !stop.Load() && !t.Failed() {
				k.step(t)
			}
		})
	}
	while()
	stop.Store(true)
	working.Wait()
}

// undo has every caller remove what it has, and looks that nothing is left.
func (w *world) undo(t *testing.T, crew []*worker) {
	var working sync.WaitGroup
	for _, k := range crew {
		working.Go(func() { k.undo(t) })
	}
	working.Wait()
	w.check(t, crew)
}

// scan ends the driver, which then tells its last spans, and looks for the
// array's secrets in the logs of driver and array, in the spans, and in what the
// callers were told.
func (w *world) scan(t *testing.T) {
	t.Helper()
	all, err := secrets.Array{Endpoint: w.array.Endpoint(), Username: w.array.Username, Password: w.array.Password, CAFile: w.array.CAFile()}.Of(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := secrets.New(all)
	if err != nil {
		t.Fatal(err)
	}
	must(t, w.driver.Stop())
	must(t, s.Files(w.driver.Log(), w.array.Log()))
	must(t, w.spans.Check(s))
	must(t, s.Reader("what callers were told", strings.NewReader(w.told.String())))
}

// hear keeps what a caller was told.
func (w *world) hear(what any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintln(&w.told, what)
}

// faults are what goes wrong between driver and array.
type faults struct {
	on atomic.Bool
	// reorder has calls that are repeated land late, too, after those that came later;
	// else only calls that make an object, which are not.
	reorder bool

	mu     sync.Mutex
	random *rand.Rand
	struck map[string]int
}

func newFaults(seed uint64, reorder bool) *faults {
	return &faults{reorder: reorder, random: rand.New(rand.NewPCG(seed, 1<<32)), struck: map[string]int{}}
}

// orphan is how much later a dead driver's call lands.
func (f *faults) orphan() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.struck["of a dead driver, lands late"]++
	return time.Duration(f.random.IntN(800)) * time.Millisecond
}

// decide strikes one call in ten or twelve.
func (f *faults) decide(method string) controller.Fault {
	if !f.on.Load() {
		return controller.Fault{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delay := time.Duration(f.random.IntN(400)) * time.Millisecond
	name, fault := "", controller.Fault{}
	switch n := f.random.IntN(100); {
	case n < 2:
		name, fault = "slow", controller.Fault{Delay: delay}
	case n < 4:
		name, fault = "500 instead of the call", controller.Fault{Lost: true, Status: 500}
	case n < 6:
		name, fault = "500 after the call", controller.Fault{Status: 503}
	case n < 8:
		name, fault = "reset after the call", controller.Fault{Cut: true}
	case n < 10 && (f.reorder || strings.HasPrefix(method, "Create") || method == "CloneVolume"):
		name, fault = "reset, and the call lands late", controller.Fault{Cut: true, Late: true, Delay: 10 * delay}
	}
	if name != "" {
		f.struck[name]++
	}
	return fault
}

func (f *faults) counts() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprint(f.struck)
}

func median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2].Round(time.Millisecond)
}
