package main

import (
	"context"
	"slices"

	"github.com/san-csi/san-csi/pkg/metrics"
	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/provision"
	"github.com/san-csi/san-csi/pkg/san"
)

// tell has the metrics tell of the arrays, and of the volumes where asked for,
// while this process leads.
func tell(m *metrics.Metrics, fleet *placement.Fleet, flows *provision.Flows, leads func() bool, volumes bool) {
	m.Arrays(func() []metrics.Array {
		if !leads() {
			return nil
		}
		return describeArrays(fleet.Standings(), flows.Conditions())
	})
	if !volumes {
		return
	}
	m.Volumes(func(ctx context.Context) []metrics.Volume {
		if !leads() {
			return nil
		}
		return describeVolumes(flows.Usage(ctx))
	})
}

func describeArrays(standings []placement.Standing, conditions []provision.Condition) []metrics.Array {
	all := make([]metrics.Array, len(standings))
	for i, s := range standings {
		all[i] = metrics.Array{
			Name: s.Array, Up: s.Up, Leaving: s.Leaving,
			BudgetIOPS: s.Bound.IOPS, PromisedIOPS: s.Promised.IOPS,
			BudgetBytes: s.Bound.Bytes, PromisedBytes: s.Promised.Bytes,
			Volumes: s.Volumes, Others: s.Others, Deleted: s.Deleted, Attachments: s.Nodes,
			StoreBytes: s.Said.BlockBytes, UsedBytes: s.Said.UsedBytes,
		}
		for _, c := range conditions {
			if c.Array == s.Array {
				all[i].Fullness, all[i].Faults = c.Fullness, describeFaults(c.Faults)
			}
		}
	}
	return all
}

// describeFaults are the kinds of faults, each once: a series cannot be there twice.
func describeFaults(faults []san.Fault) []metrics.Fault {
	var all []metrics.Fault
	for _, f := range faults {
		if kind := (metrics.Fault{Code: f.Code, Severity: f.Severity}); !slices.Contains(all, kind) {
			all = append(all, kind)
		}
	}
	return all
}

func describeVolumes(used []provision.Used) []metrics.Volume {
	all := make([]metrics.Volume, len(used))
	for i, u := range used {
		all[i] = metrics.Volume{
			Array: u.Array, ID: u.Volume.Handle.String(), PV: u.Volume.Name, PVC: u.Volume.Owner.PVC,
			Floor: u.Volume.QoS.Min, Ceiling: u.Volume.QoS.Max, Burst: u.Volume.QoS.Burst,
			ActualIOPS: u.Usage.ActualIOPS, Throttle: u.Usage.Throttle,
		}
	}
	return all
}
