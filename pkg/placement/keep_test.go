package placement

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/san-csi/san-csi/pkg/san"
)

// TestKeep: what others do is seen at each interval and raised; an array that
// hangs keeps no other from being read.
func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := san.Capacity{BoundBytes: 1000, MaxIOPS: 1000}
		var readings, hanging atomic.Int64
		a := array{shelf: &shelf{capacity: room, promises: floors("east", 1, 900)}}
		a.during = func() { readings.Add(1) }
		hung := array{shelf: &shelf{capacity: room}}
		hung.during = func() { hanging.Add(1); time.Sleep(10 * time.Minute) }
		f := NewFleet("east", []Member{{Name: "hung", Array: hung}, {Name: "a", Array: a}})
		ctx, stop := context.WithCancel(t.Context())
		raised := make(chan Standing, 16)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			f.Keep(ctx, time.Minute, func(s Standing) { raised <- s })
		}()
		time.Sleep(30 * time.Second)
		if n := readings.Load(); n != 1 || len(raised) != 0 {
			t.Errorf("%d readings, %d raised; want one at once", n, len(raised))
		}
		a.put(append(floors("east", 1, 900), floors("", 2, 200)...))
		time.Sleep(time.Minute)
		if n := readings.Load(); n != 2 || len(raised) != 1 {
			t.Fatalf("%d readings, %d raised; want the overrun", n, len(raised))
		}
		if s := <-raised; s.Array != "a" || s.Promised.IOPS != 1100 || s.Bound.IOPS != 1000 {
			t.Errorf("raised %+v", s)
		}
		a.put(floors("east", 1, 900))
		f.Replace([]Member{{Name: "hung", Array: hung}})
		time.Sleep(time.Minute)
		if s := f.Standings(); len(s) != 2 || !s[1].Leaving || s[1].Volumes != 1 {
			t.Errorf("standings %+v, want a to stay for its volume", s)
		}
		a.put(nil)
		time.Sleep(2 * time.Minute) // read, then let go
		if names := names(f.Members()); names != "hung" {
			t.Errorf("there are %s", names)
		}
		if n := hanging.Load(); n != 1 {
			t.Errorf("the array that hangs is read %d times at once", n)
		}
		stop()
		<-ended
	})
}

// TestReadyReadsOnce: however many calls wait for it.
func TestReadyReadsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var readings atomic.Int64
		s := &shelf{capacity: san.Capacity{MaxIOPS: 1}, during: func() { readings.Add(1); time.Sleep(time.Second) }}
		l := newLedger("a", "east", Budget{}, s)
		errs := make(chan error, 100)
		for range cap(errs) {
			go func() { errs <- l.Ready(t.Context()) }()
		}
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if n := readings.Load(); n != 1 {
			t.Errorf("%d readings, want 1", n)
		}
		l = newLedger("b", "east", Budget{}, s)
		over := make(chan error)
		go func() { over <- l.Ready(t.Context()) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := l.Ready(ctx); !errors.Is(err, san.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a call whose time is up: %v", err)
		}
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
}
