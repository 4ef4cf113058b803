package controller

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	gib = 1 << 30
	// attempt is a caller's deadline for one try, as the sidecars' are.
	attempt = 15 * time.Second
	// endurance bounds one call with all its retries.
	endurance = 4 * time.Minute
)

// volume is one that a caller was handed.
type volume struct {
	id     string
	size   int64
	floor  int64
	node   string // that it is published to, "" = none
	copies int    // snapshots of it, also of groups
}

// snapshot is one that a caller was handed; members has the volumes of a group.
type snapshot struct {
	id      string
	members []string // names of volumes
}

// worker is one caller, with what it was handed so far: what it must find again.
type worker struct {
	w      *world
	n      int
	random *rand.Rand
	made   int

	volumes   map[string]*volume
	snapshots map[string]*snapshot
	groups    map[string]*snapshot
	full      int // creates that did not fit
	calls     int
}

func newWorker(w *world, n int, random *rand.Rand) *worker {
	return &worker{w: w, n: n, random: random, volumes: map[string]*volume{}, snapshots: map[string]*snapshot{}, groups: map[string]*snapshot{}}
}

func (k *worker) name(kind string) string {
	k.made++
	return fmt.Sprintf("%s-%d-%d", kind, k.n, k.made)
}

// call retries as a sidecar does, until the answer is final, and is its code:
// one of those that are wanted.
func (k *worker) call(t *testing.T, what string, do func(context.Context) error, want ...codes.Code) codes.Code {
	t.Helper()
	k.calls++
	ctx, cancel := context.WithTimeout(t.Context(), endurance)
	defer cancel()
	for {
		try, stop := context.WithTimeout(ctx, attempt)
		err := do(try)
		stop()
		if err != nil {
			k.w.hear(err)
		}
		code := status.Code(err)
		switch code {
		case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Aborted:
		default:
			if !slices.Contains(append(want, codes.OK), code) {
				t.Errorf("%s: %v; want one of %v", what, err, want)
			}
			return code
		}
		select {
		case <-ctx.Done():
			t.Errorf("%s did not end within %s: %v", what, endurance, err)
			return code
		case <-time.After(time.Duration(20+k.random.IntN(100)) * time.Millisecond):
		}
	}
}

// step makes one call of the load. A caller with much removes more.
func (k *worker) step(t *testing.T) {
	if len(k.volumes) == 0 || len(k.volumes) < 10 && k.random.IntN(4) == 0 {
		k.create(t, nil)
		return
	}
	if len(k.snapshots) > 4 && k.random.IntN(3) == 0 {
		k.deleteSnapshot(t, anyOf(k.random, k.snapshots))
		return
	}
	if len(k.groups) > 1 && k.random.IntN(3) == 0 {
		k.deleteGroup(t, anyOf(k.random, k.groups))
		return
	}
	name := k.any(k.volumes)
	switch n := k.random.IntN(20); {
	case n < 2:
		k.create(t, &csi.VolumeContentSource{Type: &csi.VolumeContentSource_Volume{
			Volume: &csi.VolumeContentSource_VolumeSource{VolumeId: k.volumes[name].id}}})
	case n < 3 && len(k.snapshots) > 0:
		k.create(t, &csi.VolumeContentSource{Type: &csi.VolumeContentSource_Snapshot{
			Snapshot: &csi.VolumeContentSource_SnapshotSource{SnapshotId: k.snapshots[anyOf(k.random, k.snapshots)].id}}})
	case n < 6:
		k.modify(t, name)
	case n < 9:
		k.publish(t, name)
	case n < 12:
		k.unpublish(t, name)
	case n < 14:
		k.keep(t, name)
	case n < 15:
		k.keepAll(t)
	case n < 16 && len(k.snapshots) > 0:
		k.deleteSnapshot(t, anyOf(k.random, k.snapshots))
	case n < 17 && len(k.groups) > 0:
		k.deleteGroup(t, anyOf(k.random, k.groups))
	case n < 18:
		k.remove(t, k.removable(name))
	default:
		k.remove(t, name)
	}
}

// removable is a volume that nothing keeps from being deleted, else the given one.
func (k *worker) removable(name string) string {
	free := maps.Clone(k.volumes)
	maps.DeleteFunc(free, func(_ string, v *volume) bool { return v.node != "" || v.copies > 0 })
	if len(free) == 0 {
		return name
	}
	return k.any(free)
}

// any is a name by chance, the same for the same seed.
func (k *worker) any(volumes map[string]*volume) string { return anyOf(k.random, volumes) }

func anyOf[V any](random *rand.Rand, m map[string]V) string {
	names := slices.Sorted(maps.Keys(m))
	return names[random.IntN(len(names))]
}

// undo removes all.
func (k *worker) undo(t *testing.T) {
	for name := range maps.Clone(k.snapshots) {
		k.deleteSnapshot(t, name)
	}
	for name := range maps.Clone(k.groups) {
		k.deleteGroup(t, name)
	}
	for name := range maps.Clone(k.volumes) {
		k.unpublish(t, name)
		k.remove(t, name)
	}
}

// describe is how much the callers have and did.
func describe(crew []*worker) string {
	sums := map[string]int{}
	for _, k := range crew {
		for what, n := range map[string]int{"volumes": len(k.volumes), "snapshots": len(k.snapshots), "groups": len(k.groups), "creates refused": k.full, "calls": k.calls} {
			sums[what] += n
		}
	}
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(sums)) {
		parts = append(parts, fmt.Sprintf("%d %s", sums[what], what))
	}
	return strings.Join(parts, ", ")
}

// larger is the size to make of a source: its own, or more.
func larger(random *rand.Rand, least int64) int64 {
	return cmp.Or(least, gib) + int64(random.IntN(2))*gib
}
