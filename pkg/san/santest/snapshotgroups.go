package santest

import (
	"testing"

	"github.com/san-csi/san-csi/pkg/san"
)

func groupTests() map[string]func(*testing.T, Subject) {
	return map[string]func(*testing.T, Subject){
		"Group/is idempotent":              groupIsIdempotent,
		"Group/refuses":                    groupRefuses,
		"Group/goes as a whole":            groupGoesWhole,
		"Group/landing late, then retried": groupLandsBeforeRetry,
		"Group/landing after the deletion": groupLandsAfterDelete,
	}
}

func handles(volumes ...san.Volume) []san.Handle {
	var all []san.Handle
	for _, v := range volumes {
		all = append(all, v.Handle)
	}
	return all
}

// group is the group of that name of those volumes.
func group(t *testing.T, a san.Array, volumes ...san.Volume) san.SnapshotGroup {
	t.Helper()
	g, err := a.CreateGroup(t.Context(), san.GroupRequest{Name: "group-1", Sources: handles(volumes...)})
	must(t, err)
	return *g
}

func groupIsIdempotent(t *testing.T, s Subject) {
	v, other := create(t, s.Array, "pvc-1"), create(t, s.Array, "pvc-2")
	first := group(t, s.Array, v, other)
	if first.Name != "group-1" || len(first.Members) != 2 || first.Created.IsZero() || len(first.Handle.UUID) != 8 {
		t.Fatalf("group %+v", first)
	}
	for _, m := range first.Members {
		if m.Group != first.Handle || !m.Ready || m.SizeBytes != GiB || m.Source != v.Handle && m.Source != other.Handle {
			t.Errorf("member %+v", m)
		}
		if got, err := s.Restart(t).GetSnapshot(t.Context(), m.Handle); err != nil || *got != m {
			t.Errorf("read by itself, a member is %+v, %v; want %+v", got, err, m)
		}
	}
	for _, a := range []san.Array{s.Array, s.Restart(t)} {
		if again := group(t, a, other, v); again.Handle != first.Handle {
			t.Errorf("the same name gives %+v, then %+v", first.Handle, again.Handle)
		}
		if got, err := a.GetGroup(t.Context(), first.Handle); err != nil || len(got.Members) != 2 || got.Members[0] != first.Members[0] {
			t.Errorf("read again it is %+v, %v", got, err)
		}
	}
	snapshot(t, s.Array, "group-1", v) // a snapshot's name is none of a group's
	counts(t, "snapshots", s.Snapshots(t), 3)
}

func groupRefuses(t *testing.T, s Subject) {
	v, other := create(t, s.Array, "pvc-1"), create(t, s.Array, "pvc-2")
	gone := v
	gone.Handle.Volume += 1000
	for name, c := range map[string]struct {
		sources []san.Handle
		want    error
	}{
		"no volume":       {nil, san.ErrInvalid},
		"one twice":       {handles(v, v), san.ErrInvalid},
		"one not there":   {handles(v, gone), san.ErrNotFound},
		"another's array": {[]san.Handle{v.Handle, {Array: "none", Volume: 1}}, san.ErrNotFound},
		"hundreds":        {handles(make([]san.Volume, 500)...), san.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Array.CreateGroup(t.Context(), san.GroupRequest{Name: "group-1", Sources: c.sources})
			wants(t, err, c.want, "group-1")
			counts(t, "snapshots", s.Snapshots(t), 0)
		})
	}
	group(t, s.Array, v, other)
	_, err := s.Array.CreateGroup(t.Context(), san.GroupRequest{Name: "group-1", Sources: handles(v)})
	wants(t, err, san.ErrExists, "group-1")
}

func groupGoesWhole(t *testing.T, s Subject) {
	v, other := create(t, s.Array, "pvc-1"), create(t, s.Array, "pvc-2")
	g := group(t, s.Array, v, other)
	wants(t, s.Array.DeleteSnapshot(t.Context(), g.Members[0].Handle), san.ErrInvalid, "member")
	keepsVolume(t, s.Array, v.Handle, "snapshot")
	stranger := g.Handle
	stranger.UUID = "00000000"
	must(t, s.Array.DeleteGroup(t.Context(), stranger))
	counts(t, "snapshots", s.Snapshots(t), 2)
	for range 2 {
		must(t, s.Array.DeleteGroup(t.Context(), g.Handle))
		counts(t, "snapshots", s.Snapshots(t), 0)
	}
	_, err := s.Array.GetGroup(t.Context(), g.Handle)
	wants(t, err, san.ErrNotFound)
	remove(t, s.Array, v.Handle)
}

func loseGroup(t *testing.T, s Subject, volumes ...san.Volume) Held {
	t.Helper()
	held := s.DelayGroup(t)
	_, err := s.Array.CreateGroup(t.Context(), san.GroupRequest{Name: "group-1", Sources: handles(volumes...)})
	wants(t, err, san.ErrUnavailable, "group-1")
	return held
}

func groupLandsBeforeRetry(t *testing.T, s Subject) {
	v, other := create(t, s.Array, "pvc-1"), create(t, s.Array, "pvc-2")
	loseGroup(t, s, v, other).Land(t)
	a := s.Restart(t)
	if listed, _, err := a.ListSnapshots(t.Context(), san.SnapshotQuery{}); err != nil || len(listed) != 0 {
		t.Errorf("members of a group that was never handed out are listed: %+v, %v", listed, err)
	}
	g := group(t, a, v, other)
	must(t, a.Sweep(t.Context()))
	_, err := a.GetGroup(t.Context(), g.Handle)
	must(t, err)
	counts(t, "snapshots", s.Snapshots(t), 2)
}

func groupLandsAfterDelete(t *testing.T, s Subject) {
	v, other := create(t, s.Array, "pvc-1"), create(t, s.Array, "pvc-2")
	held := loseGroup(t, s, v, other)
	a := s.Restart(t)
	must(t, a.DeleteGroup(t.Context(), group(t, a, v, other).Handle))
	held.Land(t)
	must(t, a.Sweep(t.Context()))
	counts(t, "snapshots", s.Snapshots(t), 0)
}
