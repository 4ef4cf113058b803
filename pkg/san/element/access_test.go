package element

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// TestAccessCalls: what an attach and a detach cost the array.
func TestAccessCalls(t *testing.T) {
	b := newBench(t)
	a, one, two := b.open(t, "east", "one"), testNode(t, "a"), testNode(t, "b")
	first, second := makeVolume(t, a, "pvc-1"), makeVolume(t, a, "pvc-2")
	grant := func(a *Array, v *san.Volume, n san.Node, m san.Mode) func() error {
		return func() error { _, err := a.Grant(t.Context(), v.Handle, n, m); return err }
	}
	revoke := func(a *Array, v *san.Volume, n san.Node) func() error {
		return func() error { return a.Revoke(t.Context(), v.Handle, n) }
	}
	const (
		groups, add, remove, made, deleted = "ListVolumeAccessGroups", "AddVolumesToVolumeAccessGroup", "RemoveVolumesFromVolumeAccessGroup", "CreateVolumeAccessGroup", "DeleteVolumeAccessGroup"
		sessions, modify, volumes          = "ListISCSISessions", "ModifyVolume", "ListVolumes"
	)
	next := b.open(t, "east", "two")
	for _, step := range []struct {
		name string
		do   func() error
		want map[string]int
	}{
		{"the first of a process, which looks at all groups", grant(a, first, one, san.Mode{}), map[string]int{groups: 1, modify: 1, made: 1}},
		{"attach", grant(a, second, one, san.Mode{}), map[string]int{modify: 1, add: 1}},
		{"attach again", grant(a, second, one, san.Mode{}), map[string]int{volumes: 1, groups: 1}},
		{"detach", revoke(a, second, one), map[string]int{remove: 1, sessions: 1, modify: 1}},
		{"detach again", revoke(a, second, one), map[string]int{volumes: 1}},
		{"attach elsewhere, to a node's first volume", grant(a, second, two, san.Mode{Shared: true}), map[string]int{modify: 1, made: 1}},
		{"attach beside it", grant(a, second, one, san.Mode{Shared: true}), map[string]int{modify: 1, add: 1}},
		{"detach beside it", revoke(a, second, one), map[string]int{remove: 1, sessions: 1, modify: 1}},
		{"detach of a node's last volume, whose group goes too", revoke(a, second, two), map[string]int{remove: 1, sessions: 1, modify: 1, deleted: 1}},
		{"detach after a restart", revoke(next, first, one), map[string]int{volumes: 1, groups: 1, remove: 1, sessions: 1, modify: 1, deleted: 1}},
	} {
		got := b.gate.counted(func() { must(t, step.do()) })
		for _, seldom := range []string{"GetClusterInfo", "GetLimits"} { // once a minute
			delete(got, seldom)
		}
		if !maps.Equal(got, step.want) {
			t.Errorf("%s: %v; want %v", step.name, got, step.want)
		}
	}
}

// TestForgottenVolume: after a minute one more call reads it.
func TestForgottenVolume(t *testing.T) {
	b := newBench(t)
	clock := testingclock.NewFakeClock(time.Now())
	a, err := New(Config{Client: b.client, Account: "k8s", Cluster: "east", Incarnation: "one", Clock: clock})
	must(t, err)
	n := testNode(t, "a")
	give(t, a, *makeVolume(t, a, "pvc-1"), n, san.Mode{})
	v := makeVolume(t, a, "pvc-2")
	clock.Step(refresh)
	got := b.gate.counted(func() { give(t, a, *v, n, san.Mode{}) })
	delete(got, "GetClusterInfo") // once a minute too
	delete(got, "GetLimits")
	want := map[string]int{"ListVolumes": 1, "ModifyVolume": 1, "AddVolumesToVolumeAccessGroup": 1}
	if !maps.Equal(got, want) {
		t.Errorf("attach: %v; want %v", got, want)
	}
}

// TestBurstOfAttaches: what comes at once for one node goes to the array in few
// calls, and one volume that is refused does not fail the others.
func TestBurstOfAttaches(t *testing.T) {
	const burst, gone = 24, 7
	b := newBench(t)
	a, n := b.open(t, "east", "one"), testNode(t, "a")
	volumes := make([]*san.Volume, burst)
	for i := range volumes {
		volumes[i] = makeVolume(t, a, fmt.Sprintf("pvc-%d", i))
	}
	b.bin(t, volumes[gone].Handle.Volume) // behind the driver's back
	all := func(do func(san.Handle) error) map[string]int {
		return b.gate.counted(func() {
			var wg sync.WaitGroup
			for i, v := range volumes {
				wg.Go(func() {
					if err := do(v.Handle); err != nil && i != gone {
						t.Errorf("volume %d: %v", i, err)
					}
				})
			}
			wg.Wait()
		})
	}
	calls := all(func(h san.Handle) error {
		_, err := a.Grant(t.Context(), h, n, san.Mode{})
		return err
	})
	if changes := calls["AddVolumesToVolumeAccessGroup"] + calls["CreateVolumeAccessGroup"]; changes >= burst/2 {
		t.Errorf("%d attaches take %d changes of the group", burst, changes)
	}
	if groups := b.groups(t); len(groups) != 1 || len(groups[0].Volumes) != burst-1 {
		t.Fatalf("groups %+v; want one with %d volumes", groups, burst-1)
	}
	calls = all(func(h san.Handle) error { return a.Revoke(t.Context(), h, n) })
	if calls["RemoveVolumesFromVolumeAccessGroup"] >= burst/2 || calls["ListISCSISessions"] >= burst/2 {
		t.Errorf("%d detaches take %v", burst, calls)
	}
	if left := b.groups(t); len(left) != 0 {
		t.Errorf("groups %+v are left", left)
	}
}

// TestOneOfABatchIsRefused: the array refuses a list as a whole; then each goes
// by itself.
func TestOneOfABatchIsRefused(t *testing.T) {
	b := newBench(t)
	a, n := b.open(t, "east", "one"), testNode(t, "a")
	one, two := makeVolume(t, a, "pvc-1").Handle.Volume, makeVolume(t, a, "pvc-2").Handle.Volume
	none := two + 1000
	for range 2 { // makes the group, then finds it with members
		answers := a.admit(t.Context(), n, []int64{one, none, two})
		must(t, answers[0].err)
		must(t, answers[2].err)
		if !api.IsName(answers[1].err, api.XVolumeIDDoesNotExist) {
			t.Errorf("a volume that is not there: %v", answers[1].err)
		}
	}
	if g := b.groups(t); len(g) != 1 || !slices.Equal(g[0].Volumes, []int64{one, two}) {
		t.Fatalf("groups %+v", g)
	}
	for i, answer := range a.expel(t.Context(), n, []int64{one, none, two}) {
		if (answer.err != nil) != (i == 1) {
			t.Errorf("removal %d: %v", i, answer.err)
		}
	}
	if g := b.groups(t); len(g) != 0 {
		t.Errorf("groups %+v are left", g)
	}
}

// TestArrayIsFull: the array's limits are Exhausted, and leave no grant behind.
func TestArrayIsFull(t *testing.T) {
	for method, what := range map[string]string{
		"CreateVolumeAccessGroup":       "access groups or initiators",
		"AddVolumesToVolumeAccessGroup": "volumes of a group or groups of a volume",
	} {
		t.Run(what, func(t *testing.T) {
			b := newBench(t)
			a, n := b.open(t, "east", "one"), testNode(t, "a")
			if method != "CreateVolumeAccessGroup" {
				_, err := a.Grant(t.Context(), makeVolume(t, a, "pvc-0").Handle, n, san.Mode{})
				must(t, err)
			}
			v := makeVolume(t, a, "pvc-1")
			b.gate.call(t, "SanArrayInjectFault", map[string]any{"method": method, "errorName": api.XExceededLimit})
			_, err := a.Grant(t.Context(), v.Handle, n, san.Mode{})
			expect(t, err, san.ErrExhausted, v.Handle.String(), n.String())
			if now, err := a.Get(t.Context(), v.Handle); err != nil || len(now.Nodes) != 0 {
				t.Errorf("nodes %v, %v; want none", now.Nodes, err)
			}
			_, err = a.Grant(t.Context(), v.Handle, testNode(t, "b"), san.Mode{})
			must(t, err)
		})
	}
}

// TestVolumesPerNode: the bound holds for a burst too.
func TestVolumesPerNode(t *testing.T) {
	b := newBench(t)
	a, err := New(Config{Client: b.client, Account: "k8s", Cluster: "east", Incarnation: "one", MaxVolumesPerNode: 3})
	must(t, err)
	n := testNode(t, "a")
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		v := makeVolume(t, a, fmt.Sprintf("pvc-%d", i))
		wg.Go(func() { _, errs[i] = a.Grant(t.Context(), v.Handle, n, san.Mode{}) })
	}
	wg.Wait()
	given := 0
	for _, err := range errs {
		if err == nil {
			given++
			continue
		}
		expect(t, err, san.ErrExhausted, n.String(), "3 volumes")
	}
	if g := b.groups(t); given != 3 || len(g) != 1 || len(g[0].Volumes) != 3 {
		t.Errorf("%d grants, groups %+v; want 3", given, g)
	}
}

// TestGroupChangedByHand: what is remembered of a group is verified by each
// change of it.
func TestGroupChangedByHand(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, b *bench, id int64)
		refuse string // "" = the node gets a group again
	}{
		"deleted": {func(t *testing.T, b *bench, id int64) {
			must(t, b.client.DeleteVolumeAccessGroup(t.Context(), id, true))
		}, ""},
		"its initiator taken out": {func(t *testing.T, b *bench, id int64) {
			b.gate.call(t, "ModifyVolumeAccessGroup", map[string]any{"volumeAccessGroupID": id, "initiators": []string{}})
		}, ""},
		"another initiator put in": {func(t *testing.T, b *bench, id int64) {
			b.gate.call(t, "AddInitiatorsToVolumeAccessGroup", map[string]any{"volumeAccessGroupID": id, "initiators": []string{"iqn.2020-01.org.x:y"}})
		}, "2 initiators"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			a, n := b.open(t, "east", "one"), testNode(t, "a")
			v := makeVolume(t, a, "pvc-2")
			_, err := a.Grant(t.Context(), makeVolume(t, a, "pvc-1").Handle, n, san.Mode{})
			must(t, err)
			c.change(t, b, b.groups(t)[0].ID)
			_, err = a.Grant(t.Context(), v.Handle, n, san.Mode{})
			if c.refuse != "" {
				expect(t, err, san.ErrBusy, c.refuse)
			} else {
				must(t, err)
			}
			for _, g := range b.groups(t) {
				holds, alone := slices.Contains(g.Volumes, v.Handle.Volume), slices.Equal(g.Initiators, []string{n.IQN})
				if holds != (alone && c.refuse == "") {
					t.Errorf("group of %v has volumes %v", g.Initiators, g.Volumes)
				}
			}
		})
	}
}

// TestPublishedNodes: a list tells who holds what.
func TestPublishedNodes(t *testing.T) {
	b := newBench(t)
	a := b.open(t, "east", "one")
	v, nodes := makeVolume(t, a, "pvc-1"), []san.Node{testNode(t, "a"), testNode(t, "b")}
	for _, n := range nodes {
		_, err := a.Grant(t.Context(), v.Handle, n, san.Mode{Shared: true})
		must(t, err)
	}
	listed, _, err := a.List(t.Context(), "", 0)
	must(t, err)
	if len(listed) != 1 || !slices.Equal(listed[0].Nodes, nodes) {
		t.Errorf("listed %+v; want nodes %v", listed, nodes)
	}
}

// TestLongestNodesFit: a volume always has room for a node of the longest name
// and for all that its fence may add.
func TestLongestNodesFit(t *testing.T) {
	b := newBench(t)
	a := b.open(t, "east", "one")
	text := strings.Repeat("x", 63)
	v, err := a.Create(t.Context(), san.CreateRequest{
		Name: strings.Repeat("n", 64), SizeBytes: gib, Note: strings.Repeat("n", san.NoteLength),
		Owner: san.Owner{PVC: text + "/" + strings.Repeat("c", 253), PV: text, StorageClass: text},
	})
	must(t, err)
	n, err := san.NewNode("iqn.1993-08.org.debian:"+strings.Repeat("i", san.MaxNodeIDLength-len("iqn.1993-08.org.debian:#01234567")), "a")
	must(t, err)
	g, err := a.Grant(t.Context(), v.Handle, n, san.Mode{})
	must(t, err)
	b.login(t, *v, n)
	must(t, a.Revoke(t.Context(), v.Handle, n))
	if epoch, err := a.Barred(t.Context(), v.Handle, n); err != nil || epoch != g.Epoch {
		t.Errorf("barred up to epoch %d, %v; want %d", epoch, err, g.Epoch)
	}
}
