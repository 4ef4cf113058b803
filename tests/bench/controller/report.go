package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"text/tabwriter"

	"github.com/container-storage-interface/spec/lib/go/csi"
)

// report is what a run found.
type report struct {
	options
	latency latency
	calls   map[string]counted // by array
	cpu     cpu
	rss     int64 // bytes, the most there was
}

// readMemory reads how large the driver ever was, after it also told of every
// volume.
func (r *report) readMemory(ctx context.Context, b *bench) error {
	resp, err := csi.NewControllerClient(b.direct.Conn).ListVolumes(ctx, &csi.ListVolumesRequest{})
	if err != nil {
		return err
	}
	if n := len(resp.GetEntries()); n < r.volumes {
		return fmt.Errorf("the driver lists %d volumes, %d are there", n, r.volumes)
	}
	_, r.rss, err = b.direct.RSS()
	return err
}

// bars are the most that is allowed.
const (
	mostRatio = 1.2
	mostCPU   = 1.5
	mostRSS   = 64 << 20
)

// mostCalls are the bars of calls for one volume alone.
var mostCalls = map[string]int{opCreate: 3, opPublish: 2, opUnpublish: 3, opDelete: 2}

// mostDeletes is the bar of calls for each of several deletions at once.
const mostDeletes = 2

// print writes the tables, and tells whether every bar is met.
func (r *report) print(w io.Writer) (met bool) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\noperation\tarray calls, %s\t%s\t%d at once\tof one\n", "0 volumes", fmt.Sprint(r.volumes), r.calls[full].volumes)
	for _, op := range operations {
		fmt.Fprintf(table, "%s\t%d\t%d\t%.1f each\t%s\n", op, sum(r.calls[empty].alone[op]), sum(r.calls[full].alone[op]), r.calls[full].atOnce[op], methods(r.calls[full].alone[op]))
	}
	met = true
	fmt.Fprintf(table, "\nbar\tat most\tmeasured\t\n")
	bar := func(what, most string, ok bool, measured string, args ...any) {
		verdict := "met"
		if !ok {
			verdict, met = "NOT MET", false
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", what, most, fmt.Sprintf(measured, args...), verdict)
	}
	bar(fmt.Sprintf("CreateVolume with %d volumes to one with none, median of %d pairs", r.volumes, r.pairs), fmt.Sprint(mostRatio), r.latency.ratio() <= mostRatio,
		"%.2f (%.2f ms to %.2f ms)", r.latency.ratio(), median(r.latency.full).Seconds()*1000, median(r.latency.empty).Seconds()*1000)
	for _, op := range operations {
		if most, ok := mostCalls[op]; ok {
			n := sum(r.calls[full].alone[op])
			bar("array calls, "+op, fmt.Sprint(most), n <= most, "%d", n)
		}
	}
	deletes := r.calls[full].atOnce[opDelete]
	bar(fmt.Sprintf("array calls, delete, %d at once", r.calls[full].volumes), fmt.Sprint(mostDeletes), deletes <= mostDeletes, "%.1f each", deletes)
	bar("array calls do not grow with the volumes", "equal", r.constant(), "%s", map[bool]string{true: "equal", false: "not equal"}[r.constant()])
	bar("processor time for a CreateVolume to a bare client's", fmt.Sprint(mostCPU), r.cpu.ratio() <= mostCPU,
		"%.2f (%.2f ms to %.2f ms)", r.cpu.ratio(), median(r.cpu.driver).Seconds()*1000, median(r.cpu.bare).Seconds()*1000)
	bar(fmt.Sprintf("the driver's RSS at its most, %d volumes", r.volumes), "64 MiB", r.rss <= mostRSS, "%.1f MiB", float64(r.rss)/(1<<20))
	_ = table.Flush()
	return met
}

// constant tells whether each operation makes the same calls on both arrays.
func (r *report) constant() bool {
	for _, op := range operations {
		if !maps.Equal(r.calls[empty].alone[op], r.calls[full].alone[op]) {
			return false
		}
	}
	return true
}
