package element

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

// TestKilledBetweenCalls: the controller dies after each of the array calls of
// an operation, whose answer it does not get. The next process repeats the
// operation, and what it makes is there once.
func TestKilledBetweenCalls(t *testing.T) {
	for name, op := range map[string]func(context.Context, *Array, san.Volume) (string, error){
		"create snapshot": func(ctx context.Context, a *Array, v san.Volume) (string, error) {
			s, err := a.CreateSnapshot(ctx, san.SnapshotRequest{Name: "snap-1", Source: v.Handle})
			return told(s, err)
		},
		"create group": func(ctx context.Context, a *Array, v san.Volume) (string, error) {
			g, err := a.CreateGroup(ctx, san.GroupRequest{Name: "group-1", Sources: []san.Handle{v.Handle}})
			return told(g, err)
		},
		"clone": func(ctx context.Context, a *Array, v san.Volume) (string, error) {
			c, err := a.Create(ctx, san.CreateRequest{Name: "clone-1", SizeBytes: 2 * gib, Source: san.Source{Volume: v.Handle},
				QoS: san.QoS{Values: qos.Values{Min: 60, Max: 700, Burst: 800}}})
			if err == nil && (c.QoS != qos.Values{Min: 60, Max: 700, Burst: 800} || c.Blank) {
				return "", fmt.Errorf("made %+v", c)
			}
			return told(c, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for calls := 1; ; calls++ {
				b := newBench(t)
				v := makeVolume(t, b.open(t, "east", "one"), "pvc-1")
				ctx, die := context.WithCancel(t.Context())
				survived := b.gate.cutAfter(calls, die)
				first, err := op(ctx, b.open(t, "east", "two"), *v)
				if survived() {
					must(t, err)
				} else if err == nil {
					t.Fatalf("killed after call %d, and the operation succeeds", calls)
				}
				next := b.open(t, "east", "three")
				made, err := op(t.Context(), next, *v)
				must(t, err)
				must(t, next.Sweep(t.Context()))
				if again, err := op(t.Context(), next, *v); err != nil || again != made || first != "" && first != made {
					t.Errorf("after call %d: %q, then %q, then %q, %v", calls, first, made, again, err)
				}
				volumes, err := b.client.ListVolumes(t.Context(), api.ListVolumesRequest{})
				must(t, err)
				if n := len(volumes) + len(b.snapshots(t)); n != 2 {
					t.Errorf("killed after call %d: %d objects are on the array; want the volume and one more", calls, n)
				}
				if survived() {
					t.Logf("%s: %d array calls", name, calls-1)
					return
				}
			}
		})
	}
}

// told is the identity of what was made.
func told(made any, err error) (string, error) {
	if err != nil {
		return "", err
	}
	switch m := made.(type) {
	case *san.Snapshot:
		return m.Handle.String(), nil
	case *san.SnapshotGroup:
		return m.Handle.String(), nil
	case *san.Volume:
		return m.Handle.String(), nil
	}
	return "", errors.New("nothing that has a handle")
}

// slowClones has the array take its time for the content of clones.
func slowClones(t *testing.T, b *bench, delay time.Duration) {
	t.Helper()
	b.gate.call(t, "SanArrayInjectFault", map[string]any{"method": "SanArrayCloneJob", "delayMS": delay.Milliseconds()})
}

// TestSlowClone: a clone that outlasts its caller is not handed out before it
// has its content, and is gone on with by the next call, of whatever process.
func TestSlowClone(t *testing.T) {
	b := newBench(t)
	a := b.open(t, "east", "one")
	v := makeVolume(t, a, "pvc-1")
	slowClones(t, b, 1500*time.Millisecond)
	req := san.CreateRequest{Name: "clone-1", SizeBytes: gib, Source: san.Source{Volume: v.Handle}}
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	_, err := a.Create(ctx, req)
	expect(t, err, san.ErrUnavailable, "clone-1", "has not got its content")
	if _, err := a.Find(t.Context(), "clone-1", ""); !errors.Is(err, san.ErrNotFound) {
		t.Errorf("a clone without its content is found: %v", err)
	}
	next := b.open(t, "east", "two")
	must(t, next.Sweep(t.Context()))
	made, err := next.Create(t.Context(), req)
	must(t, err)
	volumes, err := b.client.ListVolumes(t.Context(), api.ListVolumesRequest{})
	must(t, err)
	if len(volumes) != 2 || b.volume(t, made.Handle.Volume).Status != api.StatusActive {
		t.Errorf("%d volumes, the clone is %s", len(volumes), b.volume(t, made.Handle.Volume).Status)
	}
}

// TestFailedClone: a clone that the array gives up is no failure for ever.
func TestFailedClone(t *testing.T) {
	b := newBench(t)
	a := b.open(t, "east", "one")
	v := makeVolume(t, a, "pvc-1")
	b.gate.call(t, "SanArrayInjectFault", map[string]any{"method": "SanArrayCloneJob", "errorName": "xSliceNotRegistered"})
	req := san.CreateRequest{Name: "clone-1", SizeBytes: gib, Source: san.Source{Volume: v.Handle}}
	_, err := a.Create(t.Context(), req)
	expect(t, err, san.ErrUnavailable, "clone-1", "xSliceNotRegistered")
	_, err = a.Create(t.Context(), req)
	must(t, err)
	if volumes, err := b.client.ListVolumes(t.Context(), api.ListVolumesRequest{}); err != nil || len(volumes) != 2 {
		t.Errorf("%d volumes, %v; want 2", len(volumes), err)
	}
}

// TestLimitsOfTheArray: what a retry may find changed is Unavailable, what only
// a deletion changes is Exhausted.
func TestLimitsOfTheArray(t *testing.T) {
	b := newBench(t)
	a := b.open(t, "east", "one")
	v := makeVolume(t, a, "pvc-1")
	clone := func() error {
		_, err := a.Create(t.Context(), san.CreateRequest{Name: "clone-1", SizeBytes: gib, Source: san.Source{Volume: v.Handle}})
		return err
	}
	keep := func(name string) error {
		_, err := a.CreateSnapshot(t.Context(), san.SnapshotRequest{Name: name, Source: v.Handle})
		return err
	}
	for _, busy := range []string{"xMaxClonesPerVolumeExceeded", "xMaxClonesPerNodeExceeded", "xSliceNotRegistered", "xNotReadyForIO"} {
		b.gate.call(t, "SanArrayInjectFault", map[string]any{"method": "CloneVolume", "errorName": busy})
		expect(t, clone(), san.ErrUnavailable, busy)
	}
	must(t, clone())
	b.gate.call(t, "SanArrayInjectFault", map[string]any{"method": "CreateSnapshot", "errorName": "xMaxSnapshotsPerNodeExceeded"})
	expect(t, keep("snap-0"), san.ErrUnavailable, "xMaxSnapshotsPerNodeExceeded")
	for i := range 32 {
		must(t, keep(fmt.Sprintf("snap-%d", i)))
	}
	expect(t, keep("snap-32"), san.ErrExhausted, "snap-32", "xMaxSnapshotsPerVolumeExceeded")
}

// TestOthersSnapshots: another cluster's snapshots, and those made by hand, are
// not listed; the former are not touched, the latter may be used by handle.
func TestOthersSnapshots(t *testing.T) {
	b := newBench(t)
	east, west := b.open(t, "east", "one"), b.open(t, "west", "one")
	v := makeVolume(t, east, "pvc-1")
	theirs, err := east.CreateSnapshot(t.Context(), san.SnapshotRequest{Name: "snap-1", Source: v.Handle})
	must(t, err)
	group, err := east.CreateGroup(t.Context(), san.GroupRequest{Name: "group-1", Sources: []san.Handle{v.Handle}})
	must(t, err)
	raw, err := b.client.CreateSnapshot(t.Context(), api.CreateSnapshotRequest{VolumeID: v.Handle.Volume, Name: "snap-1"})
	must(t, err)
	byHand := san.SnapshotHandle{Array: v.Handle.Array, Snapshot: raw.SnapshotID}

	expect(t, west.DeleteSnapshot(t.Context(), theirs.Handle), san.ErrBusy, "east")
	expect(t, west.DeleteGroup(t.Context(), group.Handle), san.ErrBusy, "east")
	_, err = west.GetGroup(t.Context(), group.Handle)
	expect(t, err, san.ErrBusy, "east")
	_, err = west.Create(t.Context(), san.CreateRequest{Name: "clone-1", SizeBytes: gib, Source: san.Source{Snapshot: theirs.Handle}})
	expect(t, err, san.ErrBusy, "east")
	mine := makeVolume(t, west, "pvc-2")
	same, err := west.CreateSnapshot(t.Context(), san.SnapshotRequest{Name: "snap-1", Source: mine.Handle})
	must(t, err)
	for array, want := range map[*Array][]int64{east: {theirs.Handle.Snapshot, group.Members[0].Handle.Snapshot}, west: {same.Handle.Snapshot}} {
		listed, _, err := array.ListSnapshots(t.Context(), san.SnapshotQuery{})
		must(t, err)
		var got []int64
		for _, s := range listed {
			got = append(got, s.Handle.Snapshot)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s lists %v; want %v", array.config.Cluster, got, want)
		}
	}
	must(t, west.Sweep(t.Context()))
	if n := len(b.snapshots(t)); n != 4 {
		t.Errorf("%d snapshots are left; want 4", n)
	}
	_, err = east.Create(t.Context(), san.CreateRequest{Name: "restored", SizeBytes: gib, Source: san.Source{Snapshot: byHand}})
	must(t, err)
	expect(t, deletion(t, east, v.Handle), san.ErrBusy, "3 snapshots")
	must(t, east.DeleteSnapshot(t.Context(), byHand))
}
