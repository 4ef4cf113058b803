package element

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

const gib = 1 << 30

func testNode(t *testing.T, name string) san.Node {
	t.Helper()
	n, err := san.NewNode("iqn.1993-08.org.debian:01:"+name, name)
	must(t, err)
	return n
}

func makeVolume(t *testing.T, a *Array, name string) *san.Volume {
	t.Helper()
	v, err := a.Create(t.Context(), san.CreateRequest{Name: name, SizeBytes: gib})
	must(t, err)
	return v
}

// deletion is how a deletion ends.
func deletion(t *testing.T, a *Array, h san.Handle) error {
	t.Helper()
	_, err := a.Delete(t.Context(), h)
	return err
}

// plant makes a volume behind the driver's back.
func plant(t *testing.T, b *bench, account int64, name string, attributes api.Attributes) api.Volume {
	t.Helper()
	v, err := b.client.CreateVolume(t.Context(), api.CreateVolumeRequest{Name: name, AccountID: account, TotalSize: gib, Attributes: attributes})
	must(t, err)
	return v
}

func expect(t *testing.T, err, sentinel error, words ...string) {
	t.Helper()
	if !errors.Is(err, sentinel) {
		t.Fatalf("error %v; want one that is %q", err, sentinel)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not name %q", err, word)
		}
	}
}

func TestUnfinishedFenceIsFinished(t *testing.T) {
	finishers := map[string]func(context.Context, *Array, san.Handle, san.Node) error{
		"by Sweep": func(ctx context.Context, a *Array, _ san.Handle, _ san.Node) error { return a.Sweep(ctx) },
		"by the same Revoke": func(ctx context.Context, a *Array, h san.Handle, n san.Node) error {
			return a.Revoke(ctx, h, n)
		},
		"by a Grant to another": func(ctx context.Context, a *Array, h san.Handle, _ san.Node) error {
			other := san.Node{IQN: "iqn.1993-08.org.debian:01:other", Tag: "00000001"}
			if _, err := a.Grant(ctx, h, other, san.Mode{}); err != nil {
				return err
			}
			return a.Revoke(ctx, h, other)
		},
	}
	stages := map[string]string{"intent alone": "", "locked": api.AccessLocked}
	for who, finish := range finishers {
		for stage, access := range stages {
			t.Run(who+", "+stage, func(t *testing.T) {
				b := newBench(t)
				a, n := b.open(t, "east", "one"), testNode(t, "a")
				v := makeVolume(t, a, "pvc-1")
				_, err := a.Grant(t.Context(), v.Handle, n, san.Mode{})
				must(t, err)
				b.login(t, *v, n)
				raw := b.volume(t, v.Handle.Volume)
				r, err := readRecord(raw)
				must(t, err)
				r.fence = &fence{api.AccessReadOnly, n}
				attributes, err := r.attributes(raw.Name)
				must(t, err)
				_, err = b.client.ModifyVolume(t.Context(), api.ModifyVolumeRequest{VolumeID: raw.VolumeID, Access: access, Attributes: attributes})
				must(t, err)

				must(t, finish(t.Context(), b.open(t, "east", "two"), v.Handle, n))

				raw = b.volume(t, v.Handle.Volume)
				if r, err = readRecord(raw); err != nil || r.fence != nil || len(r.grants) != 0 || raw.Access != api.AccessReadOnly {
					t.Errorf("record %+v, access %s, %v; want no fence, no grant and the former access", r, raw.Access, err)
				}
				if sessions, groups := b.sessions(), b.groups(t); len(sessions) != 0 || len(groups) != 0 {
					t.Errorf("%d sessions and %d groups are left", len(sessions), len(groups))
				}
			})
		}
	}
}

func TestGrantRecordedButNotGiven(t *testing.T) {
	b := newBench(t)
	a, n := b.open(t, "east", "one"), testNode(t, "a")
	v := makeVolume(t, a, "pvc-1")
	first, err := a.Grant(t.Context(), v.Handle, n, san.Mode{})
	must(t, err)
	must(t, b.client.DeleteVolumeAccessGroup(t.Context(), b.groups(t)[0].ID, true))
	again, err := b.open(t, "east", "two").Grant(t.Context(), v.Handle, n, san.Mode{})
	must(t, err)
	if again.Epoch != first.Epoch {
		t.Errorf("epoch %d, was %d", again.Epoch, first.Epoch)
	}
	if groups := b.groups(t); len(groups) != 1 || !slices.Contains(groups[0].Volumes, v.Handle.Volume) {
		t.Errorf("groups %+v; want one that holds the volume", groups)
	}
	// The first process remembers a group that is gone.
	_, err = a.Grant(t.Context(), v.Handle, n, san.Mode{})
	must(t, err)
	must(t, a.Revoke(t.Context(), v.Handle, n))
}

// TestPendingIsNotClaimed: what dead processes left of a name is not handed out,
// and is gone before another is: somebody's removal of it may be on its way.
func TestPendingIsNotClaimed(t *testing.T) {
	b := newBench(t)
	a := b.open(t, "east", "two")
	account, err := a.account(t.Context(), "")
	must(t, err)
	pending := api.Attributes{keyCluster: quote("east"), keyState: quote(pendingPrefix + "one")}
	first, second := plant(t, b, account, "pvc-1", pending), plant(t, b, account, "pvc-1", pending)
	v := makeVolume(t, a, "pvc-1")
	left, err := b.client.ListVolumes(t.Context(), api.ListVolumesRequest{})
	must(t, err)
	if len(left) != 1 || left[0].VolumeID != v.Handle.Volume || v.Handle.Volume <= second.VolumeID {
		t.Errorf("volume %d is handed out, on the array are %+v; want a new one alone, not %d or %d", v.Handle.Volume, left, first.VolumeID, second.VolumeID)
	}
}

func TestDuplicateClaimedVolumesLowestWins(t *testing.T) {
	b := newBench(t)
	a := b.open(t, "east", "one")
	v := makeVolume(t, a, "pvc-1")
	plant(t, b, b.volume(t, v.Handle.Volume).AccountID, "pvc-1", api.Attributes{keyCluster: quote("east"), keyState: quote(stateClaimed)})
	if again := makeVolume(t, a, "pvc-1"); again.Handle != v.Handle {
		t.Errorf("volume %v; want %v", again.Handle, v.Handle)
	}
}

// TestLeftOfADiscard: what a discard that was cut off left of a name, claimed by
// a call that landed late, is gone before the name's volume is handed out; what
// a node ever had stays.
func TestLeftOfADiscard(t *testing.T) {
	claimed := func(more api.Attributes) api.Attributes {
		more[keyCluster], more[keyState] = quote("east"), quote(stateClaimed)
		return more
	}
	for name, c := range map[string]struct {
		attributes api.Attributes
		deleted    bool
		stays      bool
	}{
		"claimed late":              {claimed(api.Attributes{}), false, false},
		"claimed late, and deleted": {claimed(api.Attributes{}), true, false},
		"granted once":              {claimed(api.Attributes{keyEpoch: quote("1")}), false, true},
		"granted once, and deleted": {claimed(api.Attributes{keyEpoch: quote("1")}), true, true},
		"to be kept, and deleted":   {claimed(api.Attributes{keyKeep: quote("1")}), true, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			a := b.open(t, "east", "two")
			v := makeVolume(t, a, "pvc-1")
			left := plant(t, b, b.volume(t, v.Handle.Volume).AccountID, "pvc-1", c.attributes)
			if c.deleted {
				b.bin(t, left.VolumeID)
			}
			if again := makeVolume(t, a, "pvc-1"); again.Handle != v.Handle {
				t.Errorf("volume %v; want %v", again.Handle, v.Handle)
			}
			now, err := b.client.ListVolumes(t.Context(), api.ListVolumesRequest{VolumeIDs: []int64{left.VolumeID}})
			if stays := err == nil && len(now) == 1; stays != c.stays {
				t.Errorf("the other one stays: %t, %v; want %t", stays, err, c.stays)
			}
		})
	}
}

func TestForeignKeysSurvive(t *testing.T) {
	b := newBench(t)
	v, n := makeVolume(t, b.open(t, "east", "one"), "pvc-1"), testNode(t, "a")
	a := b.open(t, "east", "two") // which has not seen the volume without the key
	raw := b.volume(t, v.Handle.Volume)
	raw.Attributes["backup"] = json.RawMessage(`{"kept":12345678901234567890}`)
	_, err := b.client.ModifyVolume(t.Context(), api.ModifyVolumeRequest{VolumeID: raw.VolumeID, Attributes: raw.Attributes})
	must(t, err)
	_, err = a.Grant(t.Context(), v.Handle, n, san.Mode{})
	must(t, err)
	must(t, a.Revoke(t.Context(), v.Handle, n))
	if got := string(b.volume(t, v.Handle.Volume).Attributes["backup"]); got != `{"kept":12345678901234567890}` {
		t.Errorf("the other client's key is %s now", got)
	}
}

// TestDiscardCutOff: a duplicate that was never handed out, and whose removal was
// cut off before the purge, does not stay in the recycle bin; what was handed
// out and deleted by hand does.
func TestDiscardCutOff(t *testing.T) {
	b := newBench(t)
	a := b.open(t, "east", "two")
	v := makeVolume(t, a, "pvc-1")
	left := plant(t, b, b.volume(t, v.Handle.Volume).AccountID, "pvc-1", api.Attributes{keyCluster: quote("east"), keyState: quote(pendingPrefix + "one")})
	b.bin(t, left.VolumeID)
	b.bin(t, v.Handle.Volume)
	must(t, a.Sweep(t.Context()))
	now, err := b.client.ListVolumes(t.Context(), api.ListVolumesRequest{})
	must(t, err)
	if len(now) != 1 || now[0].VolumeID != v.Handle.Volume {
		t.Errorf("volumes %+v; want %d alone", now, v.Handle.Volume)
	}
}

// TestDeletionCutOff: a call that was cut off between deletion and purge is
// finished by its repetition.
func TestDeletionCutOff(t *testing.T) {
	b := newBench(t)
	v := makeVolume(t, b.open(t, "east", "one"), "pvc-1")
	b.bin(t, v.Handle.Volume)
	must(t, deletion(t, b.open(t, "east", "two"), v.Handle))
	if left, err := b.client.ListVolumes(t.Context(), api.ListVolumesRequest{}); err != nil || len(left) != 0 {
		t.Errorf("volumes %+v, %v; want none", left, err)
	}
}
