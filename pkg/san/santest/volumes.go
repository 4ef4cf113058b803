package santest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

func volumeTests() map[string]func(*testing.T, Subject) {
	return map[string]func(*testing.T, Subject){
		"Get/knows a volume by all of its handle": getVerifies,
		"Find/by name":                       findByName,
		"Delete/is idempotent":               deleteIsIdempotent,
		"Delete/refuses a granted volume":    deleteGranted,
		"Delete/keeps":                       deleteKeeps,
		"Delete/of another's number":         deleteOther,
		"Modify/grows and never shrinks":     modifySize,
		"Modify/QoS":                         modifyQoS,
		"Modify/note":                        modifyNote,
		"Modify/refuses and changes nothing": modifyRefuses,
		"List/pages":                         listPages,
		"Pool/tells":                         poolTells,
	}
}

func getVerifies(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	if got := get(t, s.Restart(t), v.Handle); got.Name != v.Name || got.SizeBytes != v.SizeBytes || got.QoS != v.QoS || got.NAA != v.NAA {
		t.Errorf("got %+v; want %+v", got, v)
	}
	byNumber := v.Handle
	byNumber.UUID = ""
	get(t, s.Array, byNumber)
	for name, h := range map[string]san.Handle{
		"other array":  {Array: "none", Volume: v.Handle.Volume, UUID: v.Handle.UUID},
		"other number": {Array: v.Handle.Array, Volume: v.Handle.Volume + 1000, UUID: v.Handle.UUID},
		"other UUID":   {Array: v.Handle.Array, Volume: v.Handle.Volume, UUID: "00000000"},
	} {
		if _, err := s.Array.Get(t.Context(), h); !errors.Is(err, san.ErrNotFound) {
			t.Errorf("%s: %v; want not found", name, err)
		}
	}
}

func findByName(t *testing.T, s Subject) {
	_, err := s.Array.Find(t.Context(), "pvc 1", "")
	wants(t, err, san.ErrNotFound, "pvc 1")
	v := create(t, s.Array, "pvc 1")
	found, err := s.Restart(t).Find(t.Context(), "pvc 1", "")
	must(t, err)
	if found.Handle != v.Handle || found.Name != "pvc 1" {
		t.Errorf("found %+v; want %+v", found, v)
	}
	remove(t, s.Array, v.Handle)
	_, err = s.Array.Find(t.Context(), "pvc 1", "")
	wants(t, err, san.ErrNotFound)
}

func deleteIsIdempotent(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	for range 2 {
		remove(t, s.Array, v.Handle)
		counts(t, "volumes", s.Volumes(t), 0)
	}
	_, err := s.Array.Get(t.Context(), v.Handle)
	wants(t, err, san.ErrNotFound)
	if next := create(t, s.Array, "pvc-1"); next.Handle == v.Handle {
		t.Errorf("the next volume has the deleted one's handle %v", next.Handle)
	}
}

func deleteGranted(t *testing.T, s Subject) {
	v, n := create(t, s.Array, "pvc-1"), node(t, 1)
	grant(t, s.Array, v, n, san.Mode{})
	keepsVolume(t, s.Array, v.Handle, n.IQN)
	get(t, s.Array, v.Handle)
	must(t, s.Array.Revoke(t.Context(), v.Handle, n))
	remove(t, s.Array, v.Handle)
	counts(t, "volumes", s.Volumes(t), 0)
}

func deleteKeeps(t *testing.T, s Subject) {
	v := createKept(t, s.Array, "pvc-1")
	for range 2 {
		remove(t, s.Array, v.Handle)
		counts(t, "volumes in the bin", s.Volumes(t), 1)
	}
	_, err := s.Array.Get(t.Context(), v.Handle)
	wants(t, err, san.ErrNotFound)
	if next := create(t, s.Array, "pvc-1"); next.Handle == v.Handle {
		t.Errorf("the next volume has the deleted one's handle %v", next.Handle)
	}
	remove(t, s.Restart(t), v.Handle)
	counts(t, "volumes", s.Volumes(t), 2)
}

func deleteOther(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	h := v.Handle
	h.UUID = "00000000"
	remove(t, s.Array, h)
	get(t, s.Array, v.Handle)
}

func modifySize(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	for _, step := range []struct{ ask, want int64 }{{2*GiB - 1, 2 * GiB}, {2 * GiB, 2 * GiB}, {GiB, 2 * GiB}, {0, 2 * GiB}} {
		got, err := s.Array.Modify(t.Context(), v.Handle, san.Change{SizeBytes: step.ask})
		must(t, err)
		if got.SizeBytes != step.want || get(t, s.Array, v.Handle).SizeBytes != step.want {
			t.Errorf("asked for %d bytes, got %d; want %d", step.ask, got.SizeBytes, step.want)
		}
		if got.QoS != v.QoS || got.Name != v.Name || got.Owner != v.Owner {
			t.Errorf("growing changed %+v into %+v", v, got)
		}
	}
}

func modifyQoS(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	values := func(v qos.Values) san.QoS { return san.QoS{Values: v} }
	for _, step := range []struct {
		change san.QoS
		want   qos.Values
		policy string
	}{
		{values(qos.Values{Max: 1500}), qos.Values{Min: 100, Max: 1500, Burst: 2000}, ""},
		{values(qos.Values{Max: 1500}), qos.Values{Min: 100, Max: 1500, Burst: 2000}, ""},
		{san.QoS{}, qos.Values{Min: 100, Max: 1500, Burst: 2000}, ""},
		{san.QoS{Policy: s.Policy}, s.PolicyValues, s.Policy},
		{san.QoS{Policy: s.Policy}, s.PolicyValues, s.Policy},
		{values(s.PolicyValues), s.PolicyValues, ""},
		{values(qos.Values{Min: 50, Max: 100, Burst: 100}), qos.Values{Min: 50, Max: 100, Burst: 100}, ""},
	} {
		got, err := s.Array.Modify(t.Context(), v.Handle, san.Change{QoS: &step.change})
		must(t, err)
		if got.QoS != step.want || got.Policy != step.policy {
			t.Errorf("after %+v: %+v, policy %q; want %+v, policy %q", step.change, got.QoS, got.Policy, step.want, step.policy)
		}
	}
}

func modifyNote(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	g := grant(t, s.Array, v, node(t, 1), san.Mode{})
	for _, note := range []string{"a note", `{"min":"50"}`, ""} {
		got, err := s.Array.Modify(t.Context(), v.Handle, san.Change{Note: &note})
		must(t, err)
		if got.Note != note || get(t, s.Array, v.Handle).Note != note {
			t.Errorf("note %q; want %q", got.Note, note)
		}
	}
	if again := grant(t, s.Array, v, node(t, 1), san.Mode{}); again.Epoch != g.Epoch {
		t.Errorf("a note changes the grant's epoch from %d to %d", g.Epoch, again.Epoch)
	}
}

func modifyRefuses(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	limits, err := s.Array.Limits(t.Context())
	must(t, err)
	long := string(make([]byte, san.NoteLength+1))
	cases := map[string]struct {
		change san.Change
		want   error
		word   string
	}{
		"too large":       {san.Change{SizeBytes: limits.MaxSizeBytes + 1}, san.ErrOutOfRange, "size"},
		"past its limit":  {san.Change{SizeBytes: 2*GiB - 1, LimitBytes: 2*GiB - 1}, san.ErrOutOfRange, "2147483647"},
		"limit below it":  {san.Change{LimitBytes: GiB - 1}, san.ErrOutOfRange, "1073741823"},
		"negative":        {san.Change{SizeBytes: -1}, san.ErrInvalid, "-1"},
		"unknown policy":  {san.Change{QoS: &san.QoS{Policy: "none-such"}}, san.ErrInvalid, "none-such"},
		"floor over max":  {san.Change{QoS: &san.QoS{Values: qos.Values{Min: 1001}}}, san.ErrInvalid, "1001"},
		"max over bound":  {san.Change{QoS: &san.QoS{Values: qos.Values{Max: limits.QoS.Max.High + 1}}}, san.ErrInvalid, "maxIOPS"},
		"note too long":   {san.Change{Note: &long}, san.ErrInvalid, "note"},
		"size, bad QoS":   {san.Change{SizeBytes: 2 * GiB, QoS: &san.QoS{Policy: "none-such"}}, san.ErrInvalid, "none-such"},
		"negative values": {san.Change{QoS: &san.QoS{Values: qos.Values{Min: -1}}}, san.ErrInvalid, "-1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := s.Array.Modify(t.Context(), v.Handle, c.change)
			wants(t, err, c.want, c.word)
			if now := get(t, s.Array, v.Handle); now.SizeBytes != v.SizeBytes || now.QoS != v.QoS || now.Note != v.Note {
				t.Errorf("the volume is %+v now, was %+v", now, v)
			}
		})
	}
	gone := v.Handle
	gone.Volume += 1000
	_, err = s.Array.Modify(t.Context(), gone, san.Change{SizeBytes: 2 * GiB})
	wants(t, err, san.ErrNotFound)
}

func listPages(t *testing.T, s Subject) {
	want := map[san.Handle]bool{}
	for i := range 7 {
		want[create(t, s.Array, fmt.Sprintf("pvc-%d", i)).Handle] = true
	}
	remove(t, s.Array, createKept(t, s.Array, "deleted").Handle)
	for _, limit := range []int{1, 3, 7, 8, 0} {
		seen, start := map[san.Handle]bool{}, ""
		for pages := 0; pages == 0 || start != ""; pages++ {
			page, next, err := s.Array.List(t.Context(), start, limit)
			must(t, err)
			if pages > 8 || limit > 0 && len(page) > limit || next != "" && len(page) != limit {
				t.Fatalf("limit %d, page %d: %d volumes, next %q", limit, pages, len(page), next)
			}
			for _, v := range page {
				if seen[v.Handle] || !want[v.Handle] {
					t.Errorf("limit %d: %v is listed twice, or must not be", limit, v.Handle)
				}
				seen[v.Handle] = true
			}
			start = next
		}
		counts(t, "volumes listed", len(seen), len(want))
	}
	_, _, err := s.Array.List(t.Context(), "no such place", 1)
	wants(t, err, san.ErrInvalid, "no such place")
}

func poolTells(t *testing.T, s Subject) {
	id, err := s.Array.Identity(t.Context())
	must(t, err)
	if again, err := s.Restart(t).Identity(t.Context()); err != nil || again != id || id.UniqueID == "" {
		t.Errorf("identity %+v, then %+v, %v", id, again, err)
	}
	c, err := s.Array.Capacity(t.Context())
	must(t, err)
	if c.BoundBytes < GiB || c.BlockBytes <= 0 || c.MaxIOPS <= 0 {
		t.Errorf("capacity %+v of an empty array", c)
	}
	l, err := s.Array.Limits(t.Context())
	must(t, err)
	if l.MinSizeBytes <= 0 || l.MaxSizeBytes <= l.MinSizeBytes || l.SizeStep <= 0 || l.NameLength < 1 ||
		l.QoS.Min.High == 0 || l.QoS.Max.High == 0 || l.QoS.Burst.High == 0 {
		t.Errorf("limits %+v", l)
	}
}
