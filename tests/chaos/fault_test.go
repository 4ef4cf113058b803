//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

type victim string

const (
	driver        victim = "driver"
	iscsid        victim = "iscsid"
	array         victim = "array"
	delayedCommit victim = "driver, its create landing on the array later"
)

// faults are all pairs of a victim and a call, in random order.
func faults(random *rand.Rand) []fault {
	all := []fault{{victim: delayedCommit, during: create}, {victim: delayedCommit, during: create}}
	for _, v := range []victim{driver, iscsid, array} {
		for _, c := range calls {
			all = append(all, fault{victim: v, during: c})
		}
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// fault is one kill: of whom, in the middle of which call, and how far into it,
// as a share of the time that the call took before.
type fault struct {
	victim victim
	during call
	after  float64
}

func (f fault) String() string {
	return fmt.Sprintf("kill %s, %.0f %% into %s", f.victim, 100*f.after, f.during)
}

// callDuring makes the call with the fault in its middle.
func (w *world) callDuring(t *testing.T, l *life, c call, f fault) {
	t.Helper()
	took := w.took[c]
	if took == 0 {
		took = time.Second
	}
	if f.victim == delayedCommit {
		w.proxy.delayNextCreate(time.Second)
	}
	struck := make(chan error, 1)
	go func() {
		timer := time.NewTimer(time.Duration(f.after * float64(took)))
		defer timer.Stop()
		select {
		case <-timer.C:
			struck <- w.strike(t.Context(), f.victim)
		case <-t.Context().Done():
			struck <- t.Context().Err()
		}
	}()
	w.call(t, l, c)
	if err := <-struck; err != nil {
		t.Errorf("%s: %v", f, err)
	}
}

// strike kills the victim and starts it again.
func (w *world) strike(ctx context.Context, v victim) error {
	switch v {
	case array:
		return w.lab.Array.Restart(ctx)
	case iscsid:
		// iscsiadm starts a daemon that it does not find: whoever is first.
		_, err := w.node.VM.Run(ctx, "kill -9 $(pidof iscsid); usleep 50000; until pidof iscsid >/dev/null; do iscsid; usleep 50000; done")
		return err
	default:
		return w.node.RestartDriver(ctx)
	}
}
