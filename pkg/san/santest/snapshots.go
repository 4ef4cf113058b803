package santest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/san-csi/san-csi/pkg/san"
)

func snapshotTests() map[string]func(*testing.T, Subject) {
	return map[string]func(*testing.T, Subject){
		"Snapshot/is idempotent":              snapshotIsIdempotent,
		"Snapshot/tells what was made":        snapshotTells,
		"Snapshot/20 at once make one":        snapshotAtOnce,
		"Snapshot/odd names do not meet":      snapshotOddNames,
		"Snapshot/refuses bad requests":       snapshotRefuses,
		"Snapshot/name of another volume":     snapshotOtherSource,
		"Snapshot/landing late, then retried": snapshotLandsBeforeRetry,
		"Snapshot/landing after the retry":    snapshotLandsAfterRetry,
		"Snapshot/landing after the deletion": snapshotLandsAfterDelete,
		"Snapshot/deleted":                    snapshotDeleted,
		"Snapshot/keeps its volume":           snapshotKeepsVolume,
		"Snapshot/lists":                      snapshotLists,
	}
}

func snapshot(t *testing.T, a san.Array, name string, v san.Volume) san.Snapshot {
	t.Helper()
	s, err := a.CreateSnapshot(t.Context(), san.SnapshotRequest{Name: name, Source: v.Handle})
	must(t, err)
	return *s
}

func snapshotIsIdempotent(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	first := snapshot(t, s.Array, "snap-1", v)
	for _, a := range []san.Array{s.Array, s.Restart(t)} {
		if again := snapshot(t, a, "snap-1", v); again != first {
			t.Errorf("the same name gives %+v, then %+v", first, again)
		}
		if got, err := a.GetSnapshot(t.Context(), first.Handle); err != nil || *got != first {
			t.Errorf("read again it is %+v, %v; want %+v", got, err, first)
		}
	}
	counts(t, "snapshots", s.Snapshots(t), 1)
}

func snapshotTells(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	got := snapshot(t, s.Array, "snap-1", v)
	if got.Handle.Array != v.Handle.Array || got.Handle.Snapshot <= 0 || len(got.Handle.UUID) != 8 || got.Group != (san.GroupHandle{}) {
		t.Errorf("handle %+v, group %+v", got.Handle, got.Group)
	}
	if got.Name != "snap-1" || got.Source != v.Handle || got.SizeBytes != v.SizeBytes || got.SourceQoS != v.QoS || !got.Ready {
		t.Errorf("snapshot %+v of %+v", got, v)
	}
	if age := time.Since(got.Created); age < -time.Minute || age > time.Hour {
		t.Errorf("created %s", got.Created)
	}
	_, err := s.Array.Modify(t.Context(), v.Handle, san.Change{SizeBytes: 2 * GiB})
	must(t, err)
	if now, err := s.Array.GetSnapshot(t.Context(), got.Handle); err != nil || now.SizeBytes != GiB {
		t.Errorf("after its volume has grown: %+v, %v; want the size it had", now, err)
	}
	parsed, err := san.ParseSnapshotHandle(got.Handle.String())
	if err != nil || parsed != got.Handle {
		t.Errorf("handle %v travels as %v, %v", got.Handle, parsed, err)
	}
}

func snapshotAtOnce(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	var wg sync.WaitGroup
	handles := make([]san.SnapshotHandle, 20)
	for i := range handles {
		wg.Go(func() {
			made, err := s.Array.CreateSnapshot(t.Context(), san.SnapshotRequest{Name: "snap-1", Source: v.Handle})
			if err != nil {
				t.Error(err)
				return
			}
			handles[i] = made.Handle
		})
	}
	wg.Wait()
	for _, h := range handles {
		if h != handles[0] {
			t.Fatalf("one name gives %v and %v", handles[0], h)
		}
	}
	counts(t, "snapshots", s.Snapshots(t), 1)
}

func snapshotOddNames(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	handles := map[san.SnapshotHandle]string{}
	for _, name := range []string{"a_b", "a.b", "ä", "_", strings.Repeat("n", 127) + "a", strings.Repeat("n", 127) + "b", strings.Repeat(`"`, 128), " "} {
		made := snapshot(t, s.Array, name, v)
		if other, taken := handles[made.Handle]; taken || made.Name != name {
			t.Errorf("%q and %q are one snapshot, named %q", name, other, made.Name)
		}
		handles[made.Handle] = name
		if again := snapshot(t, s.Restart(t), name, v); again.Handle != made.Handle {
			t.Errorf("%q gives %v, then %v", name, made.Handle, again.Handle)
		}
	}
}

func snapshotRefuses(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	other, number := v.Handle, v.Handle
	other.UUID, number.Volume = "00000000", v.Handle.Volume+1000
	for name, c := range map[string]struct {
		req  san.SnapshotRequest
		want error
		word string
	}{
		"no name":         {san.SnapshotRequest{Source: v.Handle}, san.ErrInvalid, "name"},
		"name of 300":     {san.SnapshotRequest{Name: strings.Repeat("n", 300), Source: v.Handle}, san.ErrInvalid, "300"},
		"no such volume":  {san.SnapshotRequest{Name: "snap-1", Source: number}, san.ErrNotFound, number.String()},
		"another's UUID":  {san.SnapshotRequest{Name: "snap-1", Source: other}, san.ErrNotFound, other.String()},
		"another's array": {san.SnapshotRequest{Name: "snap-1", Source: san.Handle{Array: "none", Volume: 1}}, san.ErrNotFound, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Array.CreateSnapshot(t.Context(), c.req)
			wants(t, err, c.want, c.word)
			counts(t, "snapshots", s.Snapshots(t), 0)
		})
	}
}

func snapshotOtherSource(t *testing.T, s Subject) {
	v, other := create(t, s.Array, "pvc-1"), create(t, s.Array, "pvc-2")
	snapshot(t, s.Array, "snap-1", v)
	_, err := s.Array.CreateSnapshot(t.Context(), san.SnapshotRequest{Name: "snap-1", Source: other.Handle})
	wants(t, err, san.ErrExists, "snap-1")
	counts(t, "snapshots", s.Snapshots(t), 1)
}

// loseSnapshot asks for a snapshot that lands when told to.
func loseSnapshot(t *testing.T, s Subject, v san.Volume) Held {
	t.Helper()
	held := s.DelaySnapshot(t)
	_, err := s.Array.CreateSnapshot(t.Context(), san.SnapshotRequest{Name: "snap-1", Source: v.Handle})
	wants(t, err, san.ErrUnavailable, "snap-1")
	return held
}

func snapshotLandsBeforeRetry(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	loseSnapshot(t, s, v).Land(t)
	a := s.Restart(t)
	if listed, _, err := a.ListSnapshots(t.Context(), san.SnapshotQuery{}); err != nil || len(listed) != 0 {
		t.Errorf("a snapshot that was never handed out is listed: %+v, %v", listed, err)
	}
	made := snapshot(t, a, "snap-1", v)
	must(t, a.Sweep(t.Context()))
	_, err := a.GetSnapshot(t.Context(), made.Handle)
	must(t, err)
	counts(t, "snapshots", s.Snapshots(t), 1)
}

func snapshotLandsAfterRetry(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	held := loseSnapshot(t, s, v)
	a := s.Restart(t)
	made := snapshot(t, a, "snap-1", v)
	held.Land(t)
	if again := snapshot(t, a, "snap-1", v); again.Handle != made.Handle {
		t.Errorf("the name gives %v, then %v", made.Handle, again.Handle)
	}
	counts(t, "snapshots", s.Snapshots(t), 1)
}

func snapshotLandsAfterDelete(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	held := loseSnapshot(t, s, v)
	a := s.Restart(t)
	made := snapshot(t, a, "snap-1", v)
	must(t, a.DeleteSnapshot(t.Context(), made.Handle))
	held.Land(t)
	must(t, a.Sweep(t.Context()))
	counts(t, "snapshots", s.Snapshots(t), 0)
	remove(t, a, v.Handle)
}

func snapshotDeleted(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	made := snapshot(t, s.Array, "snap-1", v)
	other := made.Handle
	other.UUID = "00000000"
	must(t, s.Array.DeleteSnapshot(t.Context(), other))
	counts(t, "snapshots", s.Snapshots(t), 1)
	for range 2 {
		must(t, s.Array.DeleteSnapshot(t.Context(), made.Handle))
		counts(t, "snapshots", s.Snapshots(t), 0)
	}
	_, err := s.Array.GetSnapshot(t.Context(), made.Handle)
	wants(t, err, san.ErrNotFound)
	if next := snapshot(t, s.Array, "snap-1", v); next.Handle == made.Handle {
		t.Errorf("the next snapshot has the deleted one's handle %v", next.Handle)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Array.CreateSnapshot(ctx, san.SnapshotRequest{Name: "snap-2", Source: v.Handle}); err == nil {
		t.Error("a call whose context has ended succeeds")
	}
}

func snapshotKeepsVolume(t *testing.T, s Subject) {
	v := create(t, s.Array, "pvc-1")
	made := snapshot(t, s.Array, "snap-1", v)
	keepsVolume(t, s.Array, v.Handle, "snapshot", fmt.Sprint(made.Handle.Snapshot))
	if now := get(t, s.Array, v.Handle); now.Name != v.Name {
		t.Errorf("the volume is %+v now", now)
	}
	must(t, s.Array.DeleteSnapshot(t.Context(), made.Handle))
	remove(t, s.Array, v.Handle)
	counts(t, "volumes", s.Volumes(t), 0)
}

func snapshotLists(t *testing.T, s Subject) {
	v, other := create(t, s.Array, "pvc-1"), create(t, s.Array, "pvc-2")
	want := map[san.SnapshotHandle]san.Handle{}
	for i := range 5 {
		of := []san.Volume{v, other}[i%2]
		want[snapshot(t, s.Array, fmt.Sprintf("snap-%d", i), of).Handle] = of.Handle
	}
	for _, m := range group(t, s.Array, v, other).Members {
		want[m.Handle] = m.Source
	}
	for _, limit := range []int{1, 3, 7, 8, 0} {
		seen, start := map[san.SnapshotHandle]bool{}, ""
		for pages := 0; pages == 0 || start != ""; pages++ {
			page, next, err := s.Restart(t).ListSnapshots(t.Context(), san.SnapshotQuery{Start: start, Limit: limit})
			must(t, err)
			if pages > 8 || limit > 0 && len(page) > limit || next != "" && len(page) != limit {
				t.Fatalf("limit %d, page %d: %d snapshots, next %q", limit, pages, len(page), next)
			}
			for _, one := range page {
				if seen[one.Handle] || want[one.Handle] != one.Source {
					t.Errorf("limit %d: %+v is listed twice, or must not be", limit, one)
				}
				seen[one.Handle] = true
			}
			start = next
		}
		counts(t, "snapshots listed", len(seen), len(want))
	}
	of, _, err := s.Array.ListSnapshots(t.Context(), san.SnapshotQuery{Source: other.Handle})
	must(t, err)
	counts(t, "snapshots of one volume", len(of), 3)
	gone := san.Handle{Array: v.Handle.Array, Volume: v.Handle.Volume + 1000}
	if of, _, err := s.Array.ListSnapshots(t.Context(), san.SnapshotQuery{Source: gone}); err != nil || len(of) != 0 {
		t.Errorf("snapshots of a volume that is not there: %+v, %v", of, err)
	}
	if _, _, err := s.Array.ListSnapshots(t.Context(), san.SnapshotQuery{Start: "no such place"}); !errors.Is(err, san.ErrInvalid) {
		t.Errorf("from nowhere: %v", err)
	}
}
