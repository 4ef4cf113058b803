package sanity

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/placement"
)

// A class whose floors fill a budget of 60 volumes.
const (
	classFloor = 500
	fits       = 60
	asked      = 100
)

var budgetOf60 = placement.Budget{CapacityIOPS: classFloor * fits}

// create asks the driver for a volume of the class.
func (s *stack) create(ctx context.Context, name string) (*csi.Volume, error) {
	resp, err := csi.NewControllerClient(s.conn).CreateVolume(ctx, wanted(func(r *csi.CreateVolumeRequest) {
		r.Name, r.Parameters = name, map[string]string{"minIOPS": fmt.Sprint(classFloor), "maxIOPS": "5000"}
	}))
	return resp.GetVolume(), err
}

// createAll asks for the volumes pvc-<from> to pvc-<to>, all at once, and returns
// those that were made and how the others ended.
func (s *stack) createAll(ctx context.Context, from, to int) (made map[string]string, ends map[codes.Code]int) {
	var mu sync.Mutex
	var calls sync.WaitGroup
	made, ends = map[string]string{}, map[codes.Code]int{}
	for i := from; i < to; i++ {
		calls.Go(func() {
			name := fmt.Sprintf("pvc-%d", i)
			v, err := s.create(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				made[name] = v.GetVolumeId()
				return
			}
			ends[status.Code(err)]++
		})
	}
	calls.Wait()
	return made, ends
}

// onArray sums, past the driver, what all volumes of the array hold.
func (s *stack) onArray(t *testing.T) (iops, volumes int64) {
	t.Helper()
	client, err := element.New(s.array)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	all, err := client.ListVolumes(t.Context(), element.ListVolumesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		iops += v.QoS.MinIOPS
	}
	return iops, int64(len(all))
}

// checkLedger holds the ledger, as it is and as it is read again, against the
// array.
func (s *stack) checkLedger(t *testing.T, when string, volumes int64) {
	t.Helper()
	iops, there := s.onArray(t)
	if there != volumes {
		t.Errorf("%s: %d volumes are on the array, want %d", when, there, volumes)
	}
	if got := s.fleet.Standings()[0].Promised.IOPS; got != iops {
		t.Errorf("%s: the ledger has %d IOPS, the array %d", when, got, iops)
	}
	if err := s.fleet.Members()[0].Ledger.Resync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.fleet.Standings()[0].Promised.IOPS; got != iops {
		t.Errorf("%s: the ledger, read again, has %d IOPS, the array %d", when, got, iops)
	}
}

// resyncing reads the array again and again until the test's part is over.
func (s *stack) resyncing(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if err := s.fleet.Members()[0].Ledger.Resync(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// TestBudget: 100 creates at once against a budget for 60, while the ledger is
// read from the array again and again.
func TestBudget(t *testing.T) {
	s := startWith(t, startArray(t), "test", budgetOf60)
	stop := s.resyncing(t)
	made, ends := s.createAll(t.Context(), 0, asked)
	stop()
	if len(made) != fits || ends[codes.ResourceExhausted] != asked-fits {
		t.Fatalf("%d were made, the others ended %v; want %d made and %d refused", len(made), ends, fits, asked-fits)
	}
	s.checkLedger(t, "after 100 creates", fits)
	_, err := s.create(t.Context(), "pvc-more")
	check(t, err, codes.ResourceExhausted, `"a"`, "500 IOPS", "30000 of 30000 IOPS")
	again, ends := s.createAll(t.Context(), 0, asked)
	if len(again) != fits || ends[codes.ResourceExhausted] != asked-fits {
		t.Fatalf("asked for once more: %d are there, the others ended %v", len(again), ends)
	}
	for name, id := range made {
		if again[name] != id {
			t.Errorf("%s is %s, then %s", name, id, again[name])
		}
	}
	s.checkLedger(t, "after the repeats", fits)
}

// TestBudgetAcrossRestarts: the driver is ended in the middle of 100 creates; a
// second one on the same array goes on where it stopped.
func TestBudgetAcrossRestarts(t *testing.T) {
	array := startArray(t)
	first := startWith(t, array, "test", budgetOf60)
	ctx, cutOff := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		first.createAll(ctx, 0, asked)
	}()
	for {
		if _, n := first.onArray(t); n >= fits/3 {
			break
		}
	}
	cutOff() // every call on its way loses its answer, wherever it is
	first.stop()
	<-ended
	second := startWith(t, array, "test", budgetOf60)
	stop := second.resyncing(t)
	made, ends := second.createAll(t.Context(), 0, asked)
	stop()
	if err := second.fleet.Members()[0].Array.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := second.fleet.Members()[0].Ledger.Resync(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What the first driver left unclaimed may have held floors while others were refused.
	late, _ := second.createAll(t.Context(), 0, asked)
	if len(late) != fits || len(made) > fits || len(made)+ends[codes.ResourceExhausted] != asked {
		t.Fatalf("%d were made, the others ended %v, then %d; want %d", len(made), ends, len(late), fits)
	}
	second.checkLedger(t, "after the restart", fits)
}

// TestBudgetOfChanges: modify and growth are admitted as creates are; what is
// refused changes nothing; what is let go may be had by others.
func TestBudgetOfChanges(t *testing.T) {
	s := startWith(t, startArray(t), "test", placement.Budget{CapacityIOPS: 1200})
	c := csi.NewControllerClient(s.conn)
	a, err := s.create(t.Context(), "pvc-a")
	check(t, err, codes.OK)
	_, err = s.create(t.Context(), "pvc-b")
	check(t, err, codes.OK)
	modify := func(params map[string]string) error {
		_, err := c.ControllerModifyVolume(t.Context(), &csi.ControllerModifyVolumeRequest{VolumeId: a.GetVolumeId(), MutableParameters: params})
		return err
	}
	expand := func(size int64) error {
		_, err := c.ControllerExpandVolume(t.Context(), &csi.ControllerExpandVolumeRequest{
			VolumeId: a.GetVolumeId(), CapacityRange: &csi.CapacityRange{RequiredBytes: size}})
		return err
	}
	check(t, modify(map[string]string{"minIOPS": "701"}), codes.ResourceExhausted, "201 IOPS", "1000 of 1200 IOPS", `"a"`)
	s.checkLedger(t, "after a refused change", 2)
	check(t, modify(map[string]string{"minIOPS": "700"}), codes.OK)
	check(t, modify(map[string]string{"minIOPS": "700"}), codes.OK)
	s.checkLedger(t, "after a change", 2)
	_, err = s.create(t.Context(), "pvc-c")
	check(t, err, codes.ResourceExhausted, "500 IOPS", "1200 of 1200 IOPS")
	check(t, modify(map[string]string{"minIOPSPerGiB": "100"}), codes.OK) // of 1 GiB
	s.checkLedger(t, "after a lower floor", 2)
	check(t, expand(8*gib), codes.ResourceExhausted, "700 IOPS", "600 of 1200 IOPS")
	s.checkLedger(t, "after a refused growth", 2)
	check(t, expand(7*gib), codes.OK)
	check(t, expand(7*gib), codes.OK)
	s.checkLedger(t, "after a growth", 2)
	_, err = c.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: a.GetVolumeId()})
	check(t, err, codes.OK)
	_, err = s.create(t.Context(), "pvc-c")
	check(t, err, codes.OK)
	s.checkLedger(t, "after a deletion", 2)
}

// TestTwoClusters: each of two controllers on one array keeps its own share.
func TestTwoClusters(t *testing.T) {
	array := startArray(t)
	east, west := startWith(t, array, "east", placement.Budget{CapacityIOPS: 2000}), startWith(t, array, "west", placement.Budget{CapacityIOPS: 1000})
	for name, s := range map[string]*stack{"east": east, "west": west} {
		for i := range 4 {
			if _, err := s.create(t.Context(), fmt.Sprintf("%s-%d", name, i)); err != nil && status.Code(err) != codes.ResourceExhausted {
				t.Fatal(err)
			}
		}
	}
	for name, tc := range map[string]struct {
		stack *stack
		want  int64
	}{"east": {east, 2000}, "west": {west, 1000}} {
		if err := tc.stack.fleet.Members()[0].Ledger.Resync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := tc.stack.fleet.Standings()[0]; got.Promised.IOPS != tc.want || got.Overrun() {
			t.Errorf("%s: %+v, want %d IOPS promised", name, got, tc.want)
		}
	}
	if iops, _ := east.onArray(t); iops != 3000 {
		t.Errorf("the array has promised %d IOPS, want 3000", iops)
	}
}

// TestCapacityTellsFloors: what the scheduler sees of a class goes with the
// floors that are left.
func TestCapacityTellsFloors(t *testing.T) {
	s := startWith(t, startArray(t), "test", placement.Budget{CapacityIOPS: 1200})
	ask := func(params string) (available, largest int64) {
		t.Helper()
		class := map[string]string{}
		if key, value, ok := strings.Cut(params, "="); ok {
			class[key] = value
		}
		resp, err := csi.NewControllerClient(s.conn).GetCapacity(t.Context(), &csi.GetCapacityRequest{Parameters: class})
		if err != nil {
			t.Fatal(err)
		}
		if resp.GetMaximumVolumeSize() == nil {
			t.Fatal("maximum_volume_size is not set")
		}
		return resp.GetAvailableCapacity(), resp.GetMaximumVolumeSize().GetValue()
	}
	if _, err := s.create(t.Context(), "pvc-a"); err != nil {
		t.Fatal(err)
	}
	if available, largest := ask("minIOPS=701"); available != 0 || largest != 0 {
		t.Errorf("a floor that does not fit: %d bytes, volumes of %d", available, largest)
	}
	if available, largest := ask("minIOPS=700"); available < 10*gib || largest < 10*gib {
		t.Errorf("a floor that fits: %d bytes, volumes of %d", available, largest)
	}
	if available, largest := ask("minIOPSPerGiB=70"); available != 10*gib || largest != 10*gib {
		t.Errorf("a floor of 70 IOPS per GiB: %d bytes, volumes of %d; want 10 GiB", available, largest)
	}
	if available, largest := ask(""); available < 10*gib || largest < 10*gib {
		t.Errorf("the array's default floor: %d bytes, volumes of %d", available, largest)
	}
}
