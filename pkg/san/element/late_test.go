package element

import (
	"context"
	"slices"
	"testing"
	"time"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

// TestLateCallOnAVolume: a call was given up, and its caller repeated it or died.
// It lands when others have changed the volume since, and what they made is there.
func TestLateCallOnAVolume(t *testing.T) {
	first, second := testNode(t, "a"), testNode(t, "b")
	floor := func(iops int64) san.Change { return san.Change{QoS: &san.QoS{Values: qos.Values{Min: iops}}} }
	for name, c := range map[string]struct {
		method string
		given  func(*testing.T, *bench, *heldCall, *Array, san.Volume) // gives up a call of that method
		since  func(*testing.T, *Array, san.Volume)
		want   func(*testing.T, *bench, *Array, san.Volume)
	}{
		"a grant, repeated, before a revoke and a grant to another": {
			method: "ModifyVolume",
			given:  func(t *testing.T, _ *bench, _ *heldCall, a *Array, v san.Volume) { give(t, a, v, first, san.Mode{}) },
			since: func(t *testing.T, a *Array, v san.Volume) {
				must(t, a.Revoke(t.Context(), v.Handle, first))
				give(t, a, v, second, san.Mode{})
			},
			want: func(t *testing.T, b *bench, _ *Array, v san.Volume) { expectHolders(t, b, v, second) },
		},
		"a grant of one that died, before a revoke": {
			method: "ModifyVolume",
			given: func(t *testing.T, b *bench, late *heldCall, _ *Array, v san.Volume) {
				_, err := b.open(t, "east", "dead").Grant(late.caller(t), v.Handle, first, san.Mode{})
				expect(t, err, san.ErrUnavailable)
			},
			since: func(t *testing.T, a *Array, v san.Volume) { must(t, a.Revoke(t.Context(), v.Handle, first)) },
			want: func(t *testing.T, b *bench, _ *Array, v san.Volume) {
				give(t, b.open(t, "east", "next"), v, second, san.Mode{})
				expectHolders(t, b, v, second)
			},
		},
		"a grant of one that died, before a revoke and a deletion": {
			method: "ModifyVolume",
			given: func(t *testing.T, b *bench, late *heldCall, _ *Array, v san.Volume) {
				_, err := b.open(t, "east", "dead").Grant(late.caller(t), v.Handle, first, san.Mode{})
				expect(t, err, san.ErrUnavailable)
			},
			since: func(t *testing.T, a *Array, v san.Volume) { must(t, a.Revoke(t.Context(), v.Handle, first)) },
			want:  func(t *testing.T, _ *bench, a *Array, v san.Volume) { must(t, deletion(t, a, v.Handle)) },
		},
		"a floor, repeated, before another": {
			method: "ModifyVolume",
			given: func(t *testing.T, _ *bench, _ *heldCall, a *Array, v san.Volume) {
				_, err := a.Modify(t.Context(), v.Handle, floor(100))
				must(t, err)
			},
			since: func(t *testing.T, a *Array, v san.Volume) {
				_, err := a.Modify(t.Context(), v.Handle, floor(200))
				must(t, err)
			},
			want: func(t *testing.T, b *bench, _ *Array, v san.Volume) {
				if got := b.volume(t, v.Handle.Volume).QoS.MinIOPS; got != 200 {
					t.Errorf("the floor is %d; want 200", got)
				}
			},
		},
		"taken out of its group, repeated, before a new grant": {
			method: "RemoveVolumesFromVolumeAccessGroup",
			given: func(t *testing.T, b *bench, _ *heldCall, a *Array, v san.Volume) {
				give(t, a, *makeVolume(t, a, "pvc-2"), first, san.Mode{}) // keeps the group
				give(t, a, v, first, san.Mode{})
				must(t, a.Revoke(t.Context(), v.Handle, first))
			},
			since: func(t *testing.T, a *Array, v san.Volume) { give(t, a, v, first, san.Mode{}) },
			want:  expectSeated(first),
		},
		"the group's deletion by one that died, before a new grant": {
			method: "DeleteVolumeAccessGroup",
			given: func(t *testing.T, b *bench, late *heldCall, _ *Array, v san.Volume) {
				dead := b.open(t, "east", "dead")
				give(t, dead, v, first, san.Mode{})
				expect(t, dead.Revoke(late.caller(t), v.Handle, first), san.ErrUnavailable)
			},
			since: func(t *testing.T, a *Array, v san.Volume) { give(t, a, v, first, san.Mode{}) },
			want:  expectSeated(first),
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			v := *makeVolume(t, b.open(t, "east", "maker"), "pvc-1")
			a := b.open(t, "east", "one")
			late := b.gate.hold(c.method)
			c.given(t, b, late, a, v)
			c.since(t, a, v)
			late.Land(t)
			must(t, a.Sweep(t.Context()))
			c.want(t, b, a, v)
		})
	}
}

// TestLateGrantAfterARevoke: a process that starts finds no grant to revoke, and
// then that of its predecessor lands.
func TestLateGrantAfterARevoke(t *testing.T) {
	b, n := newBench(t), testNode(t, "a")
	v := makeVolume(t, b.open(t, "east", "one"), "pvc-1")
	late := b.gate.hold("ModifyVolume")
	_, err := b.open(t, "east", "one").Grant(late.caller(t), v.Handle, n, san.Mode{})
	expect(t, err, san.ErrUnavailable)
	next := b.open(t, "east", "two")
	must(t, next.Revoke(t.Context(), v.Handle, n))
	late.Land(t)
	must(t, next.Sweep(t.Context()))
	expectHolders(t, b, *v)
}

// TestLateChangeAfterNone: a process that starts makes sure that nothing changes a
// volume after it, though it has nothing to change; then its predecessor's call lands.
func TestLateChangeAfterNone(t *testing.T) {
	b := newBench(t)
	v := makeVolume(t, b.open(t, "east", "one"), "pvc-1")
	late := b.gate.hold("ModifyVolume")
	_, err := b.open(t, "east", "one").Modify(late.caller(t), v.Handle, san.Change{QoS: &san.QoS{Values: qos.Values{Min: 777}}})
	expect(t, err, san.ErrUnavailable)
	next := b.open(t, "east", "two")
	_, err = next.Modify(t.Context(), v.Handle, san.Change{})
	must(t, err)
	late.Land(t)
	must(t, next.Sweep(t.Context()))
	if got := b.volume(t, v.Handle.Volume).QoS; got.MinIOPS != v.QoS.Min {
		t.Errorf("the floor is %d; want %d", got.MinIOPS, v.QoS.Min)
	}
}

func expectSeated(n san.Node) func(*testing.T, *bench, *Array, san.Volume) {
	return func(t *testing.T, b *bench, _ *Array, v san.Volume) {
		t.Helper()
		var groups []group
		for _, g := range b.groups(t) {
			groups = append(groups, readGroup(g))
		}
		if !seated(groups, v.Handle.Volume, n) {
			t.Errorf("groups %+v; want one that lets %s have volume %d", groups, n, v.Handle.Volume)
		}
	}
}

// TestLateLock: a lock that lands when its fence has ended does not stay.
func TestLateLock(t *testing.T) {
	b := newBench(t)
	a, n := b.open(t, "east", "one"), testNode(t, "a")
	v := makeVolume(t, a, "pvc-1")
	raw := b.volume(t, v.Handle.Volume)
	r, err := readRecord(raw)
	must(t, err)
	r.mark, r.epoch, r.grants, r.fence = "dead.7", 1, []holder{{node: n, epoch: 1}}, &fence{api.AccessReadWrite, n}
	attributes, err := r.attributes(raw.Name)
	must(t, err)
	_, err = b.client.ModifyVolume(t.Context(), api.ModifyVolumeRequest{VolumeID: raw.VolumeID, Access: api.AccessLocked, Attributes: attributes})
	must(t, err)
	must(t, a.Sweep(t.Context()))
	give(t, a, *v, n, san.Mode{})
	expectHolders(t, b, *v, n)
}

// lateFloor is a volume whose floor was set to 100, again and then to 200, when the
// first call landed.
func lateFloor(t *testing.T) (*bench, *Array, *san.Volume) {
	t.Helper()
	b := newBench(t)
	a := b.open(t, "east", "one")
	v := makeVolume(t, a, "pvc-1")
	late := b.gate.hold("ModifyVolume")
	for _, iops := range []int64{100, 200} {
		_, err := a.Modify(t.Context(), v.Handle, san.Change{QoS: &san.QoS{Values: qos.Values{Min: iops}}})
		must(t, err)
	}
	late.Land(t)
	return b, a, v
}

// TestLateFloorIsCounted: until a late floor is mended, the larger one counts.
func TestLateFloorIsCounted(t *testing.T) {
	b, a, v := lateFloor(t)
	promises, err := a.Promises(t.Context())
	must(t, err)
	if got := b.volume(t, v.Handle.Volume).QoS.MinIOPS; got != 100 || promises[0].QoS.Min != 200 {
		t.Errorf("the array has a floor of %d, counted are %d; want 100 and 200", got, promises[0].QoS.Min)
	}
}

// TestLateFloorUnderAGrant: a late floor is not covered up by the next write.
func TestLateFloorUnderAGrant(t *testing.T) {
	b, a, v := lateFloor(t)
	give(t, a, *v, testNode(t, "a"), san.Mode{})
	must(t, a.Sweep(t.Context()))
	if got := b.volume(t, v.Handle.Volume).QoS.MinIOPS; got != 200 {
		t.Errorf("the floor is %d; want 200", got)
	}
}

// TestChangedByOthers: what others change of a volume is theirs, not late.
func TestChangedByOthers(t *testing.T) {
	b := newBench(t)
	a := b.open(t, "east", "one")
	v := makeVolume(t, a, "pvc-1")
	_, err := b.client.ModifyVolume(t.Context(), api.ModifyVolumeRequest{VolumeID: v.Handle.Volume, Access: api.AccessReadOnly,
		QoS: &api.QoS{MinIOPS: 70, MaxIOPS: 700, BurstIOPS: 7000}})
	must(t, err)
	must(t, a.Sweep(t.Context()))
	if now := b.volume(t, v.Handle.Volume); now.QoS.MinIOPS != 70 || now.Access != api.AccessReadOnly {
		t.Errorf("volume %+v; want it as it was changed", now)
	}
}

// making is one kind of what is made in two calls: the making, and the claim.
type making struct {
	claim, removal string // methods
	do             func(context.Context, *Array, san.Volume) (string, error)
	count          func(*testing.T, *bench) int
}

func makings() map[string]making {
	snapshots := func(t *testing.T, b *bench) int { return len(b.snapshots(t)) }
	return map[string]making{
		"volume": {"ModifyVolume", "DeleteVolume", func(ctx context.Context, a *Array, _ san.Volume) (string, error) {
			return told(a.Create(ctx, san.CreateRequest{Name: "pvc-2", SizeBytes: gib}))
		}, func(t *testing.T, b *bench) int {
			volumes, err := b.client.ListVolumes(t.Context(), api.ListVolumesRequest{VolumeStatus: api.StatusActive})
			must(t, err)
			return len(volumes) - 1 // their source
		}},
		"clone": {"ModifyVolume", "DeleteVolume", func(ctx context.Context, a *Array, v san.Volume) (string, error) {
			return told(a.Create(ctx, san.CreateRequest{Name: "pvc-2", SizeBytes: gib, Source: san.Source{Volume: v.Handle}}))
		}, func(t *testing.T, b *bench) int {
			volumes, err := b.client.ListVolumes(t.Context(), api.ListVolumesRequest{VolumeStatus: api.StatusActive})
			must(t, err)
			return len(volumes) - 1
		}},
		"snapshot": {"ModifySnapshot", "DeleteSnapshot", func(ctx context.Context, a *Array, v san.Volume) (string, error) {
			return told(a.CreateSnapshot(ctx, san.SnapshotRequest{Name: "snap-1", Source: v.Handle}))
		}, snapshots},
		"group": {"ModifyGroupSnapshot", "DeleteGroupSnapshot", func(ctx context.Context, a *Array, v san.Volume) (string, error) {
			return told(a.CreateGroup(ctx, san.GroupRequest{Name: "group-1", Sources: []san.Handle{v.Handle}}))
		}, snapshots},
	}
}

// TestLateRemoval: a dead process's removal of what it never handed out lands when
// its successor has handed out another of that name.
func TestLateRemoval(t *testing.T) {
	for name, m := range makings() {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			dead, a := b.open(t, "east", "dead"), b.open(t, "east", "one")
			v := *makeVolume(t, a, "pvc-1")
			_, err := m.do(b.gate.hold(m.claim).caller(t), dead, v)
			expect(t, err, san.ErrUnavailable)
			removal := b.gate.hold(m.removal)
			if err := dead.Sweep(removal.caller(t)); err == nil {
				t.Fatal("the sweep has its answer")
			}
			made, err := m.do(t.Context(), a, v)
			must(t, err)
			removal.Land(t)
			if again, err := m.do(t.Context(), a, v); err != nil || again != made || m.count(t, b) != 1 {
				t.Errorf("%s, then %s, %v; %d on the array", made, again, err, m.count(t, b))
			}
		})
	}
}

// TestLateClaim: a claim that was given up lands after the removal of what it
// claims was given up too, and that lands last.
func TestLateClaim(t *testing.T) {
	for name, m := range makings() {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			a := b.open(t, "east", "one")
			v := *makeVolume(t, a, "pvc-1")
			claim, removal := b.gate.hold(m.claim), b.gate.hold(m.removal)
			for _, held := range []*heldCall{claim, removal} {
				_, err := m.do(held.caller(t), a, v)
				expect(t, err, san.ErrUnavailable)
			}
			claim.Land(t)
			made, err := m.do(t.Context(), a, v)
			must(t, err)
			removal.Land(t)
			if again, err := m.do(t.Context(), a, v); err != nil || again != made || m.count(t, b) != 1 {
				t.Errorf("%s, then %s, %v; %d on the array", made, again, err, m.count(t, b))
			}
		})
		t.Run(name+", swept", func(t *testing.T) {
			b := newBench(t)
			a := b.open(t, "east", "one")
			v := *makeVolume(t, a, "pvc-1")
			claim, removal := b.gate.hold(m.claim), b.gate.hold(m.removal)
			for _, held := range []*heldCall{claim, removal} {
				_, err := m.do(held.caller(t), a, v)
				expect(t, err, san.ErrUnavailable)
			}
			claim.Land(t)
			must(t, a.Sweep(t.Context()))
			if n := m.count(t, b); n != 0 {
				t.Errorf("%d are left on the array; want none: nobody was handed it", n)
			}
		})
	}
}

// TestCloneFollowed: a clone that gets its content between two calls is left to
// the second by the sweep, and gone on with.
func TestCloneFollowed(t *testing.T) {
	b := newBench(t)
	a := b.open(t, "east", "one")
	v := makeVolume(t, a, "pvc-1")
	slowClones(t, b, 500*time.Millisecond)
	req := san.CreateRequest{Name: "clone-1", SizeBytes: gib, Source: san.Source{Volume: v.Handle}}
	ctx, cancel := context.WithCancel(t.Context())
	b.gate.after("GetAsyncResult", cancel)
	_, err := a.Create(ctx, req)
	expect(t, err, san.ErrUnavailable)
	begun := func() api.Volume {
		volumes, err := b.client.ListVolumes(t.Context(), api.ListVolumesRequest{})
		must(t, err)
		at := slices.IndexFunc(volumes, func(v api.Volume) bool { return v.Name == "clone-1" })
		if at < 0 {
			t.Fatal("the clone is gone")
		}
		return volumes[at]
	}
	for begun().Status != api.StatusActive {
	}
	must(t, a.Sweep(t.Context()))
	want := begun().VolumeID
	made, err := a.Create(t.Context(), req)
	must(t, err)
	if made.Handle.Volume != want {
		t.Errorf("clone %d is handed out; want %d, which had been begun", made.Handle.Volume, want)
	}
}
