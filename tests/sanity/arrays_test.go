package sanity

import (
	"fmt"
	"strings"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"

	"github.com/san-csi/san-csi/pkg/placement"
)

// on counts the volumes by the array that their ids name.
func on(volumes []*csi.Volume) map[string]int {
	counts := map[string]int{}
	for _, v := range volumes {
		array, _, _ := strings.Cut(v.GetVolumeId(), ":")
		counts[array]++
	}
	return counts
}

// TestTwoArrays: volumes go where floors are left; an array that goes down takes
// no new ones, and keeps nobody from those of the other.
func TestTwoArrays(t *testing.T) {
	up := startArray(t)
	reached, end := startStoppable(t)
	reached.Attempts = 1
	a, b := member(t, "a", up, "test"), member(t, "b", reached, "test")
	a.Budget, b.Budget = placement.Budget{CapacityIOPS: 5 * classFloor}, placement.Budget{CapacityIOPS: 3 * classFloor}
	s := serve(t, "test", a, b)
	ids := map[string]string{}
	for _, m := range []placement.Member{a, b} {
		id, err := m.Array.Identity(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ids[m.Name] = id.UniqueID
	}
	var made []*csi.Volume
	for i := range 6 {
		v, err := s.create(t.Context(), fmt.Sprintf("pvc-%d", i))
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, v)
	}
	if got := on(made); got[ids["a"]] != 4 || got[ids["b"]] != 2 {
		t.Errorf("made on %v, want 4 on a (%s) and 2 on b, which leaves 1 on each", got, ids["a"])
	}
	end()
	c := csi.NewControllerClient(s.conn)
	v, err := s.create(t.Context(), "pvc-6")
	check(t, err, codes.OK)
	if got := on([]*csi.Volume{v}); got[ids["a"]] != 1 {
		t.Errorf("made on %v while b is down", got)
	}
	_, err = s.create(t.Context(), "pvc-7")
	check(t, err, codes.ResourceExhausted, `"a"`, "2500 of 2500 IOPS")
	for _, v := range append(made, v) {
		want := codes.OK
		if strings.HasPrefix(v.GetVolumeId(), ids["b"]+":") {
			want = codes.Unavailable
		}
		_, err := c.DeleteVolume(t.Context(), &csi.DeleteVolumeRequest{VolumeId: v.GetVolumeId()})
		check(t, err, want)
	}
	if standings := s.fleet.Standings(); standings[0].Promised.IOPS != 0 || standings[1].Promised.IOPS != 2*classFloor {
		t.Errorf("standings %+v", standings)
	}
}
