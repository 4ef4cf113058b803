package provision

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/san-csi/san-csi/pkg/san"
)

var (
	floors = san.Fault{Code: "clusterIOPSAreOverProvisioned", Severity: "warning", Details: "1100 of 1000", Volumes: san.EffectDegraded}
	full   = san.Fault{Code: "blockClusterFull", Severity: "critical", Volumes: san.EffectInaccessible}
	drive  = san.Fault{Code: "driveFailed", Severity: "error"}
)

// TestTend: a fault is told when it begins, and again when it is worse or comes
// back; an array that does not answer keeps what was known of it, and nobody from
// the others.
func TestTend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newMemory("aaaa"), newMemory("bbbb")
		a.health = san.Health{Fullness: 1, Faults: []san.Fault{floors}}
		f := flows(t, a, b)
		ctx, stop := context.WithCancel(t.Context())
		var told []string
		go f.Tend(ctx, time.Minute, func(array string, fault san.Fault) { told = append(told, array+" "+fault.Code+" "+fault.Severity) })
		for i, step := range []struct {
			change func()
			told   []string
			have   string
		}{
			{func() {}, []string{"a clusterIOPSAreOverProvisioned warning"}, "[a 1 1] [b 0 0]"},
			{func() {}, nil, "[a 1 1] [b 0 0]"},
			{func() {
				a.down, b.health = san.ErrUnavailable, san.Health{Fullness: 5, Faults: []san.Fault{full, drive}}
			},
				[]string{"b blockClusterFull critical", "b driveFailed error"}, "[a 1 1] [b 5 2]"},
			{func() { a.down, a.health = nil, san.Health{Fullness: 1} }, nil, "[a 1 0] [b 5 2]"},
			{func() { a.health.Faults = []san.Fault{floors} }, []string{"a clusterIOPSAreOverProvisioned warning"}, "[a 1 1] [b 5 2]"},
		} {
			step.change()
			if i > 0 {
				time.Sleep(time.Minute)
			}
			synctest.Wait()
			if !slices.Equal(told, step.told) {
				t.Errorf("step %d: told %q, want %q", i, told, step.told)
			}
			told = nil
			var have []string
			for _, c := range f.Conditions() {
				have = append(have, fmt.Sprintf("[%s %d %d]", c.Array, c.Fullness, len(c.Faults)))
			}
			if got := strings.Join(have, " "); got != step.have {
				t.Errorf("step %d: conditions %s, want %s", i, got, step.have)
			}
		}
		stop()
	})
}

// TestAilments: what is wrong with a volume, and with all of its array.
func TestAilments(t *testing.T) {
	a := newMemory("aaaa")
	a.health.Faults = []san.Fault{floors, floors, drive, full}
	f := flows(t, a)
	if err := f.examine(t.Context(), f.fleet.Members()[0], func(string, san.Fault) {}); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		volume san.Volume
		want   []string // usable and reason
	}{
		"of an array that is well":         {san.Volume{Handle: san.Handle{Array: "bbbb"}}, nil},
		"locked, of an array that is well": {san.Volume{Handle: san.Handle{Array: "bbbb"}, Fault: "locked"}, []string{"false NoAccess"}},
		"of one with faults": {san.Volume{Handle: san.Handle{Array: "aaaa"}},
			[]string{"true ClusterIOPSAreOverProvisioned", "false BlockClusterFull"}},
	} {
		var got []string
		for _, ailment := range f.Ailments(&tc.volume) {
			got = append(got, fmt.Sprint(ailment.Usable, " ", ailment.Reason))
			if ailment.Message == "" {
				t.Errorf("%s: %s says nothing", name, ailment.Reason)
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
