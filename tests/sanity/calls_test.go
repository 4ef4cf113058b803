package sanity

import (
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/placement"
)

// counting starts an array and counts the calls to it; reset begins anew.
func counting(t *testing.T) (reached element.Config, calls func() map[string]int, reset func()) {
	t.Helper()
	reached = startArray(t)
	var mu sync.Mutex
	counts := map[string]int{}
	reached.Observe = func(method string, _ error, _ time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		counts[method]++
	}
	locked := func(do func()) {
		mu.Lock()
		defer mu.Unlock()
		do()
	}
	calls = func() (now map[string]int) {
		locked(func() { now = maps.Clone(counts) })
		return now
	}
	return reached, calls, func() { locked(func() { clear(counts) }) }
}

// TestArrayCalls: what each call costs the array, once the controller is warm.
// The budget adds none.
func TestArrayCalls(t *testing.T) {
	reached, calls, reset := counting(t)
	s := startWith(t, reached, "test", placement.Budget{CapacityIOPS: 10 * classFloor})
	if _, err := s.create(t.Context(), "pvc-warm"); err != nil {
		t.Fatal(err)
	}
	c := csi.NewControllerClient(s.conn)
	var id string
	for _, step := range []struct {
		name string
		call func() error
		want map[string]int
	}{
		{"create", func() error {
			v, err := s.create(t.Context(), "pvc-1")
			id = v.GetVolumeId()
			return err
		}, map[string]int{"ListVolumes": 1, "CreateVolume": 1, "ModifyVolume": 1}},
		{"modify", func() error {
			_, err := c.ControllerModifyVolume(t.Context(), &csi.ControllerModifyVolumeRequest{VolumeId: id, MutableParameters: map[string]string{"minIOPS": "600"}})
			return err
		}, map[string]int{"ListVolumes": 2, "ModifyVolume": 1}},
		{"capacity", func() error {
			_, err := c.GetCapacity(t.Context(), &csi.GetCapacityRequest{Parameters: map[string]string{"minIOPS": "600"}})
			return err
		}, map[string]int{}},
		{"delete", func() error {
			_, err := c.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: id})
			return err
		}, map[string]int{"ListSnapshots": 1, "DeleteVolume": 1, "PurgeDeletedVolume": 1}},
	} {
		reset()
		check(t, step.call(), codes.OK)
		if got := calls(); !maps.Equal(got, step.want) {
			t.Errorf("%s: %v, want %v", step.name, got, step.want)
		}
	}
}

// TestArrayCallsAtOnce: volumes deleted at the same time share what the array
// takes lists for; the look for snapshots is each one's own.
func TestArrayCallsAtOnce(t *testing.T) {
	const volumes = 32
	reached, calls, reset := counting(t)
	s := startWith(t, reached, "test", placement.Budget{CapacityIOPS: volumes * classFloor})
	var ids []string
	for i := range volumes {
		v, err := s.create(t.Context(), fmt.Sprintf("pvc-%d", i))
		check(t, err, codes.OK)
		ids = append(ids, v.GetVolumeId())
	}
	reset()
	var deleting sync.WaitGroup
	for _, id := range ids {
		deleting.Go(func() {
			_, err := csi.NewControllerClient(s.conn).DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: id})
			check(t, err, codes.OK)
		})
	}
	deleting.Wait()
	sum := 0
	for _, n := range calls() {
		sum += n
	}
	if sum > 2*volumes {
		t.Errorf("%d calls for %d deletions: %v; want some of them shared", sum, volumes, calls())
	}
	t.Logf("%d deletions at once: %.1f array calls each, %v", volumes, float64(sum)/volumes, calls())
	s.checkNothingLeft(t)
}
