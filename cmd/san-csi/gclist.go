package main

import (
	"cmp"
	"fmt"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/san-csi/san-csi/pkg/provision"
)

// list tells of the orphans, and of what they hold.
func (g *collector) list(cluster string, orphans []provision.Orphan) error {
	table := tabwriter.NewWriter(g.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KIND\tID\tNAME\tCLAIM\tARRAY\tAGE\tSIZE\tFLOOR\tSTAYS")
	counts, sum := map[string]int{}, provision.Orphan{}
	for _, o := range orphans {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", o.Kind, o.ID, o.Name, cmp.Or(o.Claim, "-"), o.Array,
			ageOf(o), sizeOf(o.SizeBytes), floorOf(o), o.Kept)
		if o.Kept != "" {
			continue
		}
		counts[o.Kind]++
		if o.Kind == provision.OrphanVolume {
			sum.SizeBytes, sum.FloorIOPS = sum.SizeBytes+o.SizeBytes, sum.FloorIOPS+o.FloorIOPS
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(g.out, "cluster %s: %d volumes (%s, floors of %d IOPS), %d snapshots and %d groups of snapshots may go\n",
		cluster, counts[provision.OrphanVolume], sizeOf(sum.SizeBytes), sum.FloorIOPS, counts[provision.OrphanSnapshot], counts[provision.OrphanGroup])
	return err
}

func ageOf(o provision.Orphan) string {
	if o.Created.IsZero() {
		return "?"
	}
	return duration.HumanDuration(time.Since(o.Created))
}

func sizeOf(bytes int64) string { return resource.NewQuantity(bytes, resource.BinarySI).String() }

func floorOf(o provision.Orphan) string {
	if o.Kind != provision.OrphanVolume {
		return "-"
	}
	return fmt.Sprint(o.FloorIOPS)
}
