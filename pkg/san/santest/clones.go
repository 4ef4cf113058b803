package santest

import (
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

func cloneTests() map[string]func(*testing.T, Subject) {
	return map[string]func(*testing.T, Subject){
		"Clone/is idempotent":                cloneIsIdempotent,
		"Clone/has the QoS that is asked":    cloneQoS,
		"Clone/is never smaller":             cloneSizes,
		"Clone/refuses":                      cloneRefuses,
		"Clone/refuses another shape":        cloneOtherShape,
		"Clone/outlives its source":          cloneOutlives,
		"Clone/of a volume in use":           cloneOfUsed,
		"Clone/landing late, then retried":   cloneLandsBeforeRetry,
		"Clone/landing after the retry":      cloneLandsAfterRetry,
		"Clone/landing after the deletion":   cloneLandsAfterDelete,
		"Clone/longest name, note and owner": cloneLongest,
	}
}

// sources are both kinds of source of one volume.
func sources(t *testing.T, a san.Array, v san.Volume) map[string]san.Source {
	t.Helper()
	return map[string]san.Source{
		"volume":   {Volume: v.Handle},
		"snapshot": {Snapshot: snapshot(t, a, "snap-of-"+v.Name, v).Handle},
	}
}

func clone(t *testing.T, a san.Array, name string, from san.Source) san.Volume {
	t.Helper()
	req := request(name)
	req.Source = from
	v, err := a.Create(t.Context(), req)
	must(t, err)
	return *v
}

func cloneIsIdempotent(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	for kind, from := range sources(t, s.Array, v) {
		first := clone(t, s.Array, "clone-of-"+kind, from)
		if first.Handle == v.Handle || first.SizeBytes != v.SizeBytes || first.Blank || first.Owner.PV != first.Name || first.NAA == v.NAA {
			t.Errorf("clone %+v of %+v", first, v)
		}
		for _, a := range []san.Array{s.Array, s.Restart(t)} {
			if again := clone(t, a, first.Name, from); again.Handle != first.Handle {
				t.Errorf("the same name gives %v, then %v", first.Handle, again.Handle)
			}
			if found, err := a.Find(t.Context(), first.Name, ""); err != nil || found.Handle != first.Handle {
				t.Errorf("by name it is %+v, %v", found, err)
			}
		}
		g := grant(t, s.Array, first, node(t, 1), san.Mode{})
		if g.Blank || !g.Clone {
			t.Errorf("grant %+v; want a clone, and none that may be formatted", g)
		}
	}
	if g := grant(t, s.Array, v, node(t, 1), san.Mode{}); g.Clone || !g.Blank {
		t.Errorf("grant %+v of the source; want a blank volume", g)
	}
	counts(t, "volumes", s.Volumes(t), 3)
}

func cloneQoS(t *testing.T, s Subject) {
	req := request("pvc-policy")
	req.QoS = san.QoS{Policy: s.Policy}
	policed, err := s.Array.Create(t.Context(), req)
	must(t, err)
	defaults, err := s.Array.InForce(t.Context(), san.QoS{})
	must(t, err)
	for _, v := range []san.Volume{create(t, s.Array, "pvc-values"), *policed} {
		for name, c := range map[string]struct {
			asked san.QoS
			want  qos.Values
		}{
			"values":  {san.QoS{Values: qos.Values{Min: 60, Max: 600, Burst: 700}}, qos.Values{Min: 60, Max: 600, Burst: 700}},
			"policy":  {san.QoS{Policy: s.Policy}, s.PolicyValues},
			"nothing": {san.QoS{}, defaults},
		} {
			req := request(v.Name + "-" + name)
			req.QoS, req.Source = c.asked, san.Source{Volume: v.Handle}
			got, err := s.Array.Create(t.Context(), req)
			must(t, err)
			if got.QoS != c.want || got.Policy != c.asked.Policy {
				t.Errorf("clone of %s with %s: %+v, policy %q; want %+v", v.Name, name, got.QoS, got.Policy, c.want)
			}
		}
	}
}

func cloneSizes(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	from := sources(t, s.Array, v)
	_, err := s.Array.Modify(t.Context(), v.Handle, san.Change{SizeBytes: 2 * GiB})
	must(t, err)
	for kind, least := range map[string]int64{"volume": 2 * GiB, "snapshot": GiB} {
		for name, c := range map[string]struct{ ask, limit, want int64 }{
			"as-large": {least, least, least},
			"smaller":  {1, 0, least},
			"larger":   {5 * GiB, 0, 5 * GiB},
			"too-few":  {1, least - 1, 0},
		} {
			req := request(kind + "-" + name)
			req.Source, req.SizeBytes, req.LimitBytes = from[kind], c.ask, c.limit
			got, err := s.Array.Create(t.Context(), req)
			if c.want == 0 {
				wants(t, err, san.ErrOutOfRange, kind)
				continue
			}
			must(t, err)
			if got.SizeBytes != c.want {
				t.Errorf("clone of a %s, %s: %d bytes; want %d", kind, name, got.SizeBytes, c.want)
			}
		}
	}
}

func cloneRefuses(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	snap := snapshot(t, s.Array, "snap-1", v)
	volume, shot := v.Handle, snap.Handle
	volume.Volume, shot.Snapshot = volume.Volume+1000, shot.Snapshot+1000
	for name, c := range map[string]struct {
		from san.Source
		want error
	}{
		"no such volume":     {san.Source{Volume: volume}, san.ErrNotFound},
		"no such snapshot":   {san.Source{Snapshot: shot}, san.ErrNotFound},
		"a volume's array":   {san.Source{Volume: san.Handle{Array: "none", Volume: 1}}, san.ErrNotFound},
		"a snapshot's array": {san.Source{Snapshot: san.SnapshotHandle{Array: "none", Snapshot: 1}}, san.ErrNotFound},
		"both":               {san.Source{Volume: v.Handle, Snapshot: snap.Handle}, san.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			req := request("clone-1")
			req.Source = c.from
			_, err := s.Array.Create(t.Context(), req)
			wants(t, err, c.want, "clone-1")
			counts(t, "volumes", s.Volumes(t), 1)
		})
	}
}

func cloneOtherShape(t *testing.T, s Subject) {
	v, other := create(t, s.Array, "pvc-1"), create(t, s.Array, "pvc-2")
	snap := snapshot(t, s.Array, "snap-1", v)
	made := clone(t, s.Array, "clone-1", san.Source{Volume: v.Handle})
	for name, from := range map[string]san.Source{"other volume": {Volume: other.Handle}, "snapshot": {Snapshot: snap.Handle}, "none": {}} {
		req := request("clone-1")
		req.Source = from
		_, err := s.Array.Create(t.Context(), req)
		if wants(t, err, san.ErrExists, "clone-1"); get(t, s.Array, made.Handle).Name != made.Name {
			t.Errorf("asked for with %s, the clone was changed", name)
		}
	}
	req := request("pvc-1")
	req.Source = san.Source{Volume: other.Handle}
	_, err := s.Array.Create(t.Context(), req)
	wants(t, err, san.ErrExists, "pvc-1")
	counts(t, "volumes", s.Volumes(t), 3)
}

func cloneOutlives(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	snap := snapshot(t, s.Array, "snap-1", v)
	restored := clone(t, s.Array, "restored", san.Source{Snapshot: snap.Handle})
	copied := clone(t, s.Array, "copied", san.Source{Volume: v.Handle})
	must(t, s.Array.DeleteSnapshot(t.Context(), snap.Handle))
	remove(t, s.Array, v.Handle)
	for _, left := range []san.Volume{restored, copied} {
		get(t, s.Array, left.Handle)
		again := clone(t, s.Array, left.Name+"-again", san.Source{Volume: left.Handle})
		remove(t, s.Array, left.Handle)
		remove(t, s.Array, again.Handle)
	}
	counts(t, "volumes", s.Volumes(t), 0)
}

func cloneOfUsed(t *testing.T, s Subject) {
	v, n := create(t, s.Array, "pvc-1"), node(t, 1)
	grant(t, s.Array, v, n, san.Mode{})
	s.Login(t, v, n)
	made := clone(t, s.Array, "clone-1", san.Source{Volume: v.Handle})
	if len(made.Nodes) != 0 {
		t.Errorf("the clone is granted to %v", made.Nodes)
	}
	if g := grant(t, s.Array, made, node(t, 2), san.Mode{}); g.Epoch != 1 {
		t.Errorf("the first grant of a clone has epoch %d", g.Epoch)
	}
	counts(t, "sessions", s.Sessions(), 1)
}

func loseClone(t *testing.T, s Subject, from san.Source) Held {
	t.Helper()
	held := s.DelayClone(t)
	req := request("clone-1")
	req.Source = from
	_, err := s.Array.Create(t.Context(), req)
	wants(t, err, san.ErrUnavailable, "clone-1")
	return held
}

func cloneLandsBeforeRetry(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	from := san.Source{Volume: v.Handle}
	loseClone(t, s, from).Land(t)
	a := s.Restart(t)
	made := clone(t, a, "clone-1", from)
	if made.QoS != request("").QoS.Values {
		t.Errorf("QoS %+v", made.QoS)
	}
	must(t, a.Sweep(t.Context()))
	get(t, a, made.Handle)
	counts(t, "volumes", s.Volumes(t), 2)
}

func cloneLandsAfterRetry(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	from := san.Source{Volume: v.Handle}
	held := loseClone(t, s, from)
	a := s.Restart(t)
	made := clone(t, a, "clone-1", from)
	held.Land(t)
	if again := clone(t, a, "clone-1", from); again.Handle != made.Handle {
		t.Errorf("the name gives %v, then %v", made.Handle, again.Handle)
	}
	remove(t, a, made.Handle)
	remove(t, a, v.Handle)
	counts(t, "volumes", s.Volumes(t), 0)
}

func cloneLandsAfterDelete(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	from := san.Source{Volume: v.Handle}
	held := loseClone(t, s, from)
	a := s.Restart(t)
	remove(t, a, clone(t, a, "clone-1", from).Handle)
	held.Land(t)
	if again := clone(t, a, "clone-1", from); again.Blank {
		t.Error("a clone may be formatted")
	}
	counts(t, "volumes", s.Volumes(t), 2)
}

func cloneLongest(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	req := request(strings.Repeat(`"`, 128))
	req.Note = strings.Repeat(`"`, san.NoteLength)
	req.Owner = san.Owner{PVC: strings.Repeat("p", 317), PV: strings.Repeat("v", 253), StorageClass: strings.Repeat("c", 253)}
	req.Source = san.Source{Volume: v.Handle}
	made, err := s.Array.Create(t.Context(), req)
	must(t, err)
	n, err := san.NewNode("iqn.1993-08.org.debian:"+strings.Repeat("n", san.MaxNodeIDLength-len("iqn.1993-08.org.debian:#01234567")), "node")
	must(t, err)
	grant(t, s.Array, *made, n, san.Mode{})
	must(t, s.Array.Revoke(t.Context(), made.Handle, n))
}
