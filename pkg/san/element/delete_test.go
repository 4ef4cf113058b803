package element

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// TestDeletionCalls: what a deletion costs the array. A volume that this process
// had in hand a moment ago is not looked at again.
func TestDeletionCalls(t *testing.T) {
	const look, list, remove, purge = "ListVolumes", "ListSnapshots", "DeleteVolume", "PurgeDeletedVolume"
	const identity = "GetClusterInfo" // once a minute
	for name, c := range map[string]struct {
		keep   bool
		before func(*testing.T, *bench, *Array, *san.Volume)
		rest   time.Duration
		want   map[string]int
	}{
		"just made": {want: map[string]int{list: 1, remove: 1, purge: 1}},
		"just revoked": {
			before: func(t *testing.T, _ *bench, a *Array, v *san.Volume) {
				give(t, a, *v, testNode(t, "a"), san.Mode{})
				must(t, a.Revoke(t.Context(), v.Handle, testNode(t, "a")))
			},
			want: map[string]int{list: 1, remove: 1, purge: 1},
		},
		"snapshots listed a moment ago": {
			before: func(t *testing.T, _ *bench, a *Array, _ *san.Volume) { sweep(t, a) },
			want:   map[string]int{remove: 1, purge: 1},
		},
		"snapshots listed too long ago": {
			before: func(t *testing.T, _ *bench, a *Array, _ *san.Volume) { sweep(t, a) },
			rest:   snapshotsKnown,
			want:   map[string]int{identity: 1, look: 1, list: 1, remove: 1, purge: 1},
		},
		"its snapshots are gone": {
			before: func(t *testing.T, _ *bench, a *Array, v *san.Volume) {
				s, err := a.CreateSnapshot(t.Context(), san.SnapshotRequest{Name: "snapshot-1", Source: v.Handle})
				must(t, err)
				must(t, a.DeleteSnapshot(t.Context(), s.Handle))
			},
			want: map[string]int{list: 1, remove: 1, purge: 1},
		},
		"to be kept": {keep: true, want: map[string]int{list: 1, remove: 1}},
		"at rest":    {rest: atHand, want: map[string]int{look: 1, list: 1, remove: 1, purge: 1}},
		"purged by a process that has died since": {
			before: func(t *testing.T, b *bench, _ *Array, v *san.Volume) {
				b.bin(t, v.Handle.Volume)
				must(t, b.client.PurgeDeletedVolume(t.Context(), v.Handle.Volume))
			},
			want: map[string]int{list: 1},
		},
		"deleted by hand": {
			before: func(t *testing.T, b *bench, _ *Array, v *san.Volume) { b.bin(t, v.Handle.Volume) },
			want:   map[string]int{list: 1, remove: 1, look: 1, purge: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			clock := testingclock.NewFakeClock(time.Now())
			a := b.open(t, "east", "one")
			a.clock = clock
			v, err := a.Create(t.Context(), san.CreateRequest{Name: "pvc-1", SizeBytes: gib, Keep: c.keep})
			must(t, err)
			if c.before != nil {
				c.before(t, b, a, v)
			}
			clock.Step(c.rest)
			if got := b.gate.counted(func() { must(t, deletion(t, a, v.Handle)) }); !maps.Equal(got, c.want) {
				t.Errorf("calls %v; want %v", got, c.want)
			}
		})
	}
}

// TestDeletionNotKnown: the array refuses to delete what is deleted already, and
// then does not tell what is there: that is no answer.
func TestDeletionNotKnown(t *testing.T) {
	b := newBench(t)
	a := b.open(t, "east", "one")
	v := makeVolume(t, a, "pvc-1")
	b.bin(t, v.Handle.Volume)
	b.gate.call(t, "SanArrayInjectFault", map[string]any{"method": "ListVolumes", "errorName": "xPermissionDenied"})
	expect(t, deletion(t, a, v.Handle), san.ErrUnavailable, "xVolumeIDDoesNotExist", "xPermissionDenied")
	must(t, deletion(t, a, v.Handle))
}

// TestDeletionOfWhatIsWanted: whatever came to a volume since this process had it
// in hand is kept, and the volume with it.
func TestDeletionOfWhatIsWanted(t *testing.T) {
	for name, c := range map[string]struct {
		before func(*testing.T, *Array)
		come   func(*testing.T, *bench, *Array, san.Volume)
		word   string
	}{
		"a snapshot made by hand": {nil, func(t *testing.T, b *bench, _ *Array, v san.Volume) { snap(t, b, v) }, "by-hand"},
		"a snapshot made by hand before the sweep": {nil, func(t *testing.T, b *bench, a *Array, v san.Volume) {
			snap(t, b, v)
			must(t, a.Sweep(t.Context()))
		}, "by-hand"},
		"a snapshot after the sweep": {sweep, func(t *testing.T, _ *bench, a *Array, v san.Volume) {
			_, err := a.CreateSnapshot(t.Context(), san.SnapshotRequest{Name: "snapshot-1", Source: v.Handle})
			must(t, err)
		}, "snapshot-1"},
		"a group of snapshots after the sweep": {sweep, func(t *testing.T, _ *bench, a *Array, v san.Volume) {
			_, err := a.CreateGroup(t.Context(), san.GroupRequest{Name: "group-1", Sources: []san.Handle{v.Handle}})
			must(t, err)
		}, "group-1"},
		"a place in a foreign group": {sweep, func(t *testing.T, b *bench, _ *Array, v san.Volume) {
			_, err := b.client.CreateVolumeAccessGroup(t.Context(), api.CreateVolumeAccessGroupRequest{
				Name: "by-hand", Initiators: []string{"iqn.2020-01.org.x:y"}, Volumes: []int64{v.Handle.Volume}})
			must(t, err)
		}, "access group"},
		"a grant of a leader that is dead": {sweep, func(t *testing.T, b *bench, _ *Array, v san.Volume) {
			give(t, b.open(t, "east", "two"), v, testNode(t, "a"), san.Mode{})
		}, "granted"},
		"another owner": {sweep, func(t *testing.T, b *bench, _ *Array, v san.Volume) {
			_, err := b.client.ModifyVolume(t.Context(), api.ModifyVolumeRequest{VolumeID: v.Handle.Volume, Attributes: api.Attributes{keyCluster: quote("west")}})
			must(t, err)
		}, "west"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			a := b.open(t, "east", "one")
			v := makeVolume(t, a, "pvc-1")
			if c.before != nil {
				c.before(t, a)
			}
			c.come(t, b, a, *v)
			was := b.volume(t, v.Handle.Volume)
			snapshots, groups := len(b.snapshots(t)), len(b.groups(t))
			for range 2 { // from memory, and with a look
				expect(t, deletion(t, a, v.Handle), san.ErrBusy, c.word)
				now := b.volume(t, v.Handle.Volume)
				if now.Status != api.StatusActive || len(now.VolumeAccessGroups) != len(was.VolumeAccessGroups) {
					t.Errorf("volume %+v; was %+v", now, was)
				}
			}
			if len(b.snapshots(t)) != snapshots || len(b.groups(t)) != groups {
				t.Errorf("%d snapshots and %d groups are left of %d and %d", len(b.snapshots(t)), len(b.groups(t)), snapshots, groups)
			}
		})
	}
}

// TestDeletionFromTheBin: what somebody may want back stays in the recycle bin.
func TestDeletionFromTheBin(t *testing.T) {
	for name, come := range map[string]func(*testing.T, *bench, san.Volume){
		"a snapshot made by hand": func(t *testing.T, b *bench, v san.Volume) { snap(t, b, v) },
		"a foreign group": func(t *testing.T, b *bench, v san.Volume) {
			_, err := b.client.CreateVolumeAccessGroup(t.Context(), api.CreateVolumeAccessGroupRequest{
				Name: "by-hand", Initiators: []string{"iqn.2020-01.org.x:y"}, Volumes: []int64{v.Handle.Volume}})
			must(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			v := makeVolume(t, b.open(t, "east", "one"), "pvc-1")
			come(t, b, *v)
			b.bin(t, v.Handle.Volume)
			expect(t, deletion(t, b.open(t, "east", "two"), v.Handle), san.ErrBusy, "by-hand")
			if now := b.volume(t, v.Handle.Volume); now.Status != api.StatusDeleted {
				t.Errorf("volume %+v; want it in the recycle bin", now)
			}
		})
	}
}

// TestDeletionKilledBetweenCalls: the controller dies after each of the calls of
// a deletion, whose answer it does not get. The next process ends what it began.
func TestDeletionKilledBetweenCalls(t *testing.T) {
	for n := 1; ; n++ {
		b := newBench(t)
		a := b.open(t, "east", "one")
		v := makeVolume(t, a, "pvc-1")
		ctx, die := context.WithCancel(t.Context())
		survived := b.gate.cutAfter(n, die)
		_, err := a.Delete(ctx, v.Handle)
		die()
		if survived() {
			must(t, err)
			return
		}
		must(t, deletion(t, b.open(t, "east", "two"), v.Handle))
		if left, err := b.client.ListVolumes(t.Context(), api.ListVolumesRequest{}); err != nil || len(left) != 0 {
			t.Errorf("killed after call %d: volumes %+v, %v; want none", n, left, err)
		}
	}
}

func sweep(t *testing.T, a *Array) {
	t.Helper()
	must(t, a.Sweep(t.Context()))
}

func snap(t *testing.T, b *bench, v san.Volume) {
	t.Helper()
	_, err := b.client.CreateSnapshot(t.Context(), api.CreateSnapshotRequest{VolumeID: v.Handle.Volume, Name: "by-hand"})
	must(t, err)
}

// TestDeletionPastAGroupThatNobodyWasHanded: what a cut off call for a group of
// snapshots left holds no volume; a group that was handed out does.
func TestDeletionPastAGroupThatNobodyWasHanded(t *testing.T) {
	for name, want := range map[string]error{pendingName + "cut off": nil, "group-1": san.ErrBusy} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			a := b.open(t, "east", "one")
			v, err := a.Create(t.Context(), san.CreateRequest{Name: "pvc-1", SizeBytes: gib})
			must(t, err)
			m := mark{cluster: "east", name: "group-1"}
			_, err = b.client.CreateGroupSnapshot(t.Context(), api.CreateGroupSnapshotRequest{Volumes: []int64{v.Handle.Volume}, Name: name, Attributes: m.attributes()})
			must(t, err)
			if err := deletion(t, a, v.Handle); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		})
	}
}
