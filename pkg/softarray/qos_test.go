package softarray

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/softarray/api"
	"github.com/san-csi/san-csi/pkg/softarray/sched"
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

// stats are members of a volume's statistics.
func (r *running) stats(volume string, keys ...string) []float64 {
	r.t.Helper()
	all := r.call("GetVolumeStats", `{"volumeID":`+volume+`}`)["volumeStats"].(map[string]any)
	var out []float64
	for _, key := range keys {
		out = append(out, all[key].(float64))
	}
	return out
}

// A volume earns burst credit from when it was made, in use or not; a restart
// begins at none.
func TestCreditOfAVolumeNotInUse(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Now().Truncate(time.Second))
	dir := t.TempDir()
	config := Config{DataDir: dir, Username: "admin", Password: "secret", Clock: clock}
	r := startWith(t, config)
	r.call("AddAccount", `{"username":"a"}`)
	clock.Step(time.Minute)
	r.call("CreateVolume", `{"name":"v","accountID":1,"totalSize":1000000000,"qos":{"maxIOPS":1000,"burstIOPS":3000}}`)
	want := func(when string, credit float64) {
		t.Helper()
		if got := r.stats("1", "burstIOPSCredit")[0]; got != credit {
			t.Errorf("%s: credit %v, want %v", when, got, credit)
		}
	}
	want("new", 0)
	clock.Step(11 * time.Second) // the first second is not counted
	want("never used", 20000)
	if _, err := r.directory().Admit("iqn.2001-01.com.example:a", r.iqn(1)); err != nil {
		t.Fatal(err)
	}
	want("in use", 20000)
	clock.Step(10 * time.Second)
	want("in use and idle", 40000)
	clock.Step(time.Minute)
	want("for long", 120000)
	r.stop()
	r = startWith(t, config)
	want("after a restart", 0)
	clock.Step(30 * time.Second)
	want("half a minute later", 60000)
}

// On an array that is all but full ceilings come down to the floors, and the
// statistics say so.
func TestSqueezeReachesVolumes(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Now())
	r := startWith(t, Config{DataDir: t.TempDir(), Username: "admin", Password: "secret", Clock: clock})
	r.call("AddAccount", `{"username":"a"}`)
	r.call("CreateVolume", `{"name":"v","accountID":1,"totalSize":1000000000,"qos":{"minIOPS":200,"maxIOPS":1000,"burstIOPS":3000}}`)
	if _, err := r.directory().Admit("iqn.2001-01.com.example:a", r.iqn(1)); err != nil {
		t.Fatal(err)
	}
	live, _ := r.array.volumes.get(1)
	second := func() (n int) {
		for range 100 {
			clock.Step(10 * time.Millisecond)
			for live.qos.TryAdmit(4096) {
				n++
			}
		}
		return n
	}
	second() // what was saved up
	for _, c := range []struct {
		by, throttle float64
		iops         int
	}{{0, 0, 1000}, {0.5, 0.4, 600}, {1, 0.8, 200}, {0, 0, 1000}} {
		r.array.volumes.Squeeze(c.by)
		if got := second(); got != c.iops {
			t.Errorf("squeezed by %v: %d IOPS, want %d", c.by, got, c.iops)
		}
		if got := r.stats("1", "throttle")[0]; got < c.throttle-1e-9 || got > c.throttle+1e-9 {
			t.Errorf("squeezed by %v: throttle %v, want %v", c.by, got, c.throttle)
		}
	}
}

// What the array cannot give shows in the sample.
func TestWithheldInASample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := sched.NewArray(clock.RealClock{}, 1000)
		busy, idle := a.NewVolume(qos.Values{Min: 50, Max: 4000, Burst: 4000}, 0), a.NewVolume(qos.Values{Min: 50, Max: 4000, Burst: 4000}, 0)
		all := &volumes{clock: clock.RealClock{}, activity: activity{sampled: time.Now()}, live: map[int64]*volume{
			1: {meter: newMeter(memory{}, store.Counters{}), qos: busy},
			2: {meter: newMeter(memory{}, store.Counters{}), qos: idle},
		}}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for busy.Admit(ctx, 4096) == nil {
				continue
			}
		}()
		for range 3 {
			time.Sleep(api.SamplePeriod)
			all.sample(nil)
		}
		cancel()
		if got := all.live[1].meter.usage().Withheld; got < 0.74 || got > 0.76 {
			t.Errorf("withheld %.3f of the ceiling, want 0.75: 1000 of 4000", got)
		}
		if got := all.live[2].meter.usage().Withheld; got != 0 {
			t.Errorf("withheld %.3f from a volume that does nothing", got)
		}
	})
}
