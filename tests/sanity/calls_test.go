package sanity

import (
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"

	"github.com/san-csi/san-csi/pkg/placement"
)

// TestArrayCalls: what each call costs the array, once the controller is warm.
// The budget adds none.
func TestArrayCalls(t *testing.T) {
	reached := startArray(t)
	var mu sync.Mutex
	calls := map[string]int{}
	reached.Observe = func(method string, _ error, _ time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		calls[method]++
	}
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
		}, map[string]int{"ListVolumes": 3, "ListSnapshots": 1, "DeleteVolume": 1, "PurgeDeletedVolume": 1}},
	} {
		mu.Lock()
		clear(calls)
		mu.Unlock()
		check(t, step.call(), codes.OK)
		if !maps.Equal(calls, step.want) {
			t.Errorf("%s: %v, want %v", step.name, calls, step.want)
		}
	}
}
