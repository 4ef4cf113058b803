package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// settling is how long leftovers of calls that were cut off may stay.
const settling = time.Minute

// check compares the array, past the driver, with what the callers were handed,
// and the driver's books with both.
func (w *world) check(t *testing.T, crew []*worker) {
	t.Helper()
	w.proxy.Drain()
	want := expected(crew)
	ctx, cancel := context.WithTimeout(t.Context(), settling)
	defer cancel()
	var differences []string
	for {
		now, err := w.differences(ctx, want, crew)
		if err == nil && len(now) == 0 {
			return
		}
		if err == nil {
			differences = now
		}
		select {
		case <-ctx.Done():
			t.Errorf("not as it must be, after %s: %v\n%s", settling, err, strings.Join(differences, "\n"))
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// expected is what must be on the array, one line of text an object, with how
// often it must be there.
func expected(crew []*worker) map[string]int {
	want := map[string]int{}
	for _, k := range crew {
		ids := map[string]int64{}
		for name, v := range k.volumes {
			h, _ := san.ParseHandle(v.id)
			ids[name] = h.Volume
			want[volumeLine(h.Volume, name, element.StatusActive, v.size, v.floor)]++
			if v.node != "" {
				iqn, _, _ := strings.Cut(v.node, "#")
				want[accessLine(iqn, h.Volume)]++
			}
		}
		for name, s := range k.snapshots {
			want[snapshotLine(name, ids[s.members[0]])]++
		}
		for name, g := range k.groups {
			for _, member := range g.members {
				want[groupLine(name, ids[member])]++
			}
		}
	}
	return want
}

func volumeLine(id int64, name, status string, size, floor int64) string {
	return fmt.Sprintf("volume %d %q, %s, %d bytes, floor of %d", id, name, status, size, floor)
}

func accessLine(iqn string, volume int64) string {
	return fmt.Sprintf("access of %s to volume %d", iqn, volume)
}

func snapshotLine(name string, volume int64) string {
	return fmt.Sprintf("snapshot %q of volume %d", name, volume)
}

func groupLine(name string, volume int64) string {
	return fmt.Sprintf("snapshot of volume %d in group %q", volume, name)
}

// found is what is on the array, in the same form, and the sum of all floors.
func (w *world) found(ctx context.Context) (found map[string]int, floors int64, err error) {
	found = map[string]int{}
	volumes, err := w.array.Client.ListVolumes(ctx, element.ListVolumesRequest{})
	for _, v := range volumes {
		status := v.Status
		if state := string(v.Attributes["san-csi.state"]); state != `"claimed"` {
			status += " and " + state
		}
		found[volumeLine(v.VolumeID, v.Name, status, v.TotalSize, v.QoS.MinIOPS)]++
		floors += v.QoS.MinIOPS
	}
	if err != nil {
		return nil, 0, err
	}
	groups, err := w.array.Client.ListVolumeAccessGroups(ctx, element.ListVolumeAccessGroupsRequest{})
	if err != nil {
		return nil, 0, err
	}
	for _, g := range groups {
		if len(g.Volumes) == 0 || len(g.Initiators) != 1 {
			found[fmt.Sprintf("access group %d of %v with volumes %v", g.ID, g.Initiators, g.Volumes)]++
		}
		for _, volume := range g.Volumes {
			found[accessLine(g.Initiators[0], volume)]++
		}
	}
	kept, err := w.array.Client.ListGroupSnapshots(ctx, element.ListGroupSnapshotsRequest{})
	if err != nil {
		return nil, 0, err
	}
	for _, g := range kept {
		for _, member := range g.Members {
			found[groupLine(g.Name, member.VolumeID)]++
		}
	}
	snapshots, err := w.array.Client.ListSnapshots(ctx, element.ListSnapshotsRequest{})
	for _, s := range snapshots {
		if s.GroupID == 0 {
			found[snapshotLine(s.Name, s.VolumeID)]++
		}
	}
	return found, floors, err
}

// differences are what is leaked, doubled or lost, and where the budget is off.
func (w *world) differences(ctx context.Context, want map[string]int, crew []*worker) ([]string, error) {
	found, floors, err := w.found(ctx)
	if err != nil {
		return nil, err
	}
	var differences []string
	for line, n := range want {
		switch {
		case found[line] < n:
			differences = append(differences, "lost: "+line)
		case found[line] > n:
			differences = append(differences, fmt.Sprintf("%d times: %s", found[line], line))
		}
	}
	for line := range found {
		if want[line] == 0 {
			differences = append(differences, "leaked: "+line)
		}
	}
	slices.Sort(differences)
	var promised int64
	for _, k := range crew {
		for v := range maps.Values(k.volumes) {
			promised += v.floor
		}
	}
	off, err := w.offBudget(ctx, promised, floors)
	return append(differences, off...), err
}

// offBudget compares what the callers were promised with the array's floors, the
// driver's metrics and what the driver says that still fits.
func (w *world) offBudget(ctx context.Context, promised, floors int64) ([]string, error) {
	var off []string
	told, err := w.driver.Metric(ctx, `san_csi_array_iops_promised{array="a"}`)
	if err != nil {
		return nil, err
	}
	if promised != floors || told != promised || promised > w.bound {
		off = append(off, fmt.Sprintf("callers were promised %d IOPS, the array's floors are %d, the driver tells %d, the budget is %d", promised, floors, told, w.bound))
	}
	for floor, fits := range map[int64]bool{w.bound - promised: true, w.bound - promised + 1: false} {
		if floor < 50 || floor > 15_000 {
			continue // no volume may have it
		}
		resp, err := w.volumes.GetCapacity(ctx, &csi.GetCapacityRequest{Parameters: map[string]string{"minIOPS": fmt.Sprint(floor)}})
		if err != nil {
			return off, err
		}
		if (resp.GetAvailableCapacity() > 0) != fits {
			off = append(off, fmt.Sprintf("with %d of %d IOPS promised, %d bytes are there for a floor of %d", promised, w.bound, resp.GetAvailableCapacity(), floor))
		}
	}
	return off, nil
}
