package placement

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

// rack is an array in memory that many callers use at once: answers get lost,
// and lists are made page by page.
type rack struct {
	mu      sync.Mutex
	next    int64
	volumes map[int64]san.Promise
	most    int64 // IOPS that were promised at once
}

func (r *rack) Capacity(context.Context) (san.Capacity, error) {
	return san.Capacity{BoundBytes: 1 << 40, MaxIOPS: 1000}, nil
}

func (r *rack) Promises(context.Context) ([]san.Promise, error) {
	var all []san.Promise
	for first, more := int64(0), true; more; first += 8 {
		r.mu.Lock()
		for id := first; id < first+8; id++ {
			if p, ok := r.volumes[id]; ok {
				all = append(all, p)
			}
		}
		more = first <= r.next
		r.mu.Unlock()
	}
	return all, nil
}

// change does something to the volumes, if the array gets the call, and loses
// the answer of some.
func (r *rack) change(do func()) error {
	if rand.IntN(8) == 0 {
		return fmt.Errorf("not sent: %w", san.ErrUnavailable)
	}
	r.mu.Lock()
	do()
	sum := int64(0)
	for _, p := range r.volumes {
		sum += p.QoS.Min
	}
	r.most = max(r.most, sum)
	r.mu.Unlock()
	if rand.IntN(8) == 0 {
		return fmt.Errorf("answer lost: %w", san.ErrUnavailable)
	}
	return nil
}

func (r *rack) named(name string) *san.Volume {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, p := range r.volumes {
		if p.Name == name {
			return volume(id, name, p.QoS.Min)
		}
	}
	return nil
}

// make is what provision.Create does: one volume for a name, however often.
func (r *rack) make(l *Ledger, name string, iops int64) error {
	var h *Hold
	if r.named(name) != nil {
		h = l.Repeat(name)
	} else {
		var err error
		if h, err = l.Create(name, Load{IOPS: iops, Bytes: 1}); err != nil {
			return err
		}
	}
	err := r.change(func() {
		for _, p := range r.volumes {
			if p.Name == name {
				return
			}
		}
		r.next++
		r.volumes[r.next] = san.Promise{Volume: r.next, Owner: san.Owner{Cluster: "east"}, Name: name, SizeBytes: 1, QoS: qos.Values{Min: iops}, Claimed: true}
	})
	h.Settle(r.named(name), err)
	return err
}

func (r *rack) retune(l *Ledger, name string, iops int64) error {
	v := r.named(name)
	h, err := l.Change(v, Load{IOPS: iops, Bytes: 1})
	if err != nil {
		return err
	}
	err = r.change(func() {
		p := r.volumes[v.Handle.Volume]
		p.QoS.Min = iops
		r.volumes[p.Volume] = p
	})
	h.Settle(r.named(name), err)
	return err
}

func (r *rack) remove(l *Ledger, name string) error {
	v := r.named(name)
	if v == nil {
		return nil // the answer that was lost said so; the next reading sees it
	}
	err := r.change(func() { delete(r.volumes, v.Handle.Volume) })
	if err == nil {
		l.Gone(v.Handle.Volume)
	}
	return err
}

// TestLedgerIsTheArray: many volumes come, change and go at once, with answers
// lost and the array read again and again. The array never holds more than the
// budget, and when all calls are through, the ledger has what the array has.
func TestLedgerIsTheArray(t *testing.T) {
	r := &rack{volumes: map[int64]san.Promise{}}
	l := newLedger("a", "east", Budget{}, r)
	if err := l.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var reading, callers sync.WaitGroup
	reading.Go(func() {
		for ctx.Err() == nil {
			_ = l.Resync(ctx)
		}
	})
	refusals := make([]int, 16)
	for i := range refusals {
		callers.Go(func() {
			for round := range 60 {
				name := fmt.Sprintf("pvc-%d-%d", i, round)
				refusals[i] += life(r, l, name, rand.IntN(32) > 0)
			}
		})
	}
	callers.Wait()
	stop()
	reading.Wait()
	sum := int64(0)
	for _, p := range r.volumes {
		sum += p.QoS.Min
	}
	if got := l.standing().Promised.IOPS; got < sum {
		t.Errorf("%d IOPS are promised at the end, the array has %d", got, sum)
	}
	resync(t, l)
	l.wants(t, "read once more", sum)
	if len(l.creates) != 0 || len(l.changes) != 0 {
		t.Errorf("%d creates and %d changes still hold room", len(l.creates), len(l.changes))
	}
	t.Logf("%d volumes with %d IOPS at the end, at most %d at once, refusals %v", len(r.volumes), sum, r.most, refusals)
	if r.most > 1000 || r.most < 700 {
		t.Errorf("the array held up to %d IOPS, want nearly and never more than 1000", r.most)
	}
	if slices.Max(refusals) == 0 {
		t.Error("nothing was ever refused: the test shows nothing")
	}
}

// life is one volume's, each call repeated until it is answered. It returns how
// often the budget refused.
func life(r *rack, l *Ledger, name string, dies bool) (refusals int) {
	until := func(call func() error) bool {
		for {
			switch err := call(); {
			case err == nil:
				return true
			case errors.Is(err, san.ErrExhausted):
				refusals++
				_ = l.Resync(context.Background()) // time passes before the next one is asked for
				return false
			}
		}
	}
	iops := int64(10 + rand.IntN(40))
	if !until(func() error { return r.make(l, name, iops) }) {
		return refusals
	}
	changed := int64(10 + rand.IntN(80))
	until(func() error { return r.retune(l, name, changed) })
	if dies {
		until(func() error { return r.remove(l, name) })
	}
	return refusals
}
