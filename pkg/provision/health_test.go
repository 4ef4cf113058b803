package provision

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/san"
)

var (
	floors = san.Fault{Code: "clusterIOPSAreOverProvisioned", Severity: "warning", Details: "1100 of 1000", Volumes: san.EffectDegraded}
	full   = san.Fault{Code: "blockClusterFull", Severity: "critical", Volumes: san.EffectInaccessible}
	drive  = san.Fault{Code: "driveFailed", Severity: "error"}
)

// rounds is an array whose health is another one each time that it is asked.
type rounds struct {
	*memory
	answers []any // san.Health, or an error
	asked   int
}

func (r *rounds) Health(context.Context) (san.Health, error) {
	answer := r.answers[r.asked]
	r.asked++
	if err, down := answer.(error); down {
		return san.Health{}, err
	}
	return answer.(san.Health), nil
}

// TestTend: a fault is told when it begins, and again when it is worse or comes
// back; an array that does not answer keeps what was known of it, and nobody from
// the others.
func TestTend(t *testing.T) {
	well, worse := san.Health{Fullness: 1}, san.Health{Fullness: 5, Faults: []san.Fault{full, drive}}
	overrun := san.Health{Fullness: 1, Faults: []san.Fault{floors}}
	a := &rounds{memory: newMemory("aaaa"), answers: []any{overrun, overrun, san.ErrUnavailable, well, overrun}}
	b := &rounds{memory: newMemory("bbbb"), answers: []any{well, well, worse, worse, worse}}
	f := New(placement.NewFleet("east", []placement.Member{{Name: "a", Array: a}, {Name: "b", Array: b}}), "east")
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var mu sync.Mutex
		var told []string
		go f.Tend(ctx, time.Minute, func(array string, fault san.Fault) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, array+" "+fault.Code+" "+fault.Severity)
		})
		for i, want := range []struct {
			told []string
			have string
		}{
			{[]string{"a clusterIOPSAreOverProvisioned warning"}, "[a 1 1] [b 1 0]"},
			{nil, "[a 1 1] [b 1 0]"},
			{[]string{"b blockClusterFull critical", "b driveFailed error"}, "[a 1 1] [b 5 2]"},
			{nil, "[a 1 0] [b 5 2]"},
			{[]string{"a clusterIOPSAreOverProvisioned warning"}, "[a 1 1] [b 5 2]"},
		} {
			if i > 0 {
				time.Sleep(time.Minute)
			}
			synctest.Wait()
			mu.Lock()
			if !slices.Equal(told, want.told) {
				t.Errorf("round %d: told %q, want %q", i, told, want.told)
			}
			told = nil
			mu.Unlock()
			var have []string
			for _, c := range f.Conditions() {
				have = append(have, fmt.Sprintf("[%s %d %d]", c.Array, c.Fullness, len(c.Faults)))
			}
			if got := strings.Join(have, " "); got != want.have {
				t.Errorf("round %d: conditions %s, want %s", i, got, want.have)
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
