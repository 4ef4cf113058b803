package main

import (
	"context"

	"github.com/san-csi/san-csi/pkg/metrics"
	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/provision"
)

// tell has the metrics tell of the arrays, and of the volumes where asked for,
// while this process leads.
func tell(m *metrics.Metrics, fleet *placement.Fleet, flows *provision.Flows, leads func() bool, volumes bool) {
	m.Arrays(func() []metrics.Array {
		if !leads() {
			return nil
		}
		return describeArrays(fleet.Standings())
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

func describeArrays(standings []placement.Standing) []metrics.Array {
	all := make([]metrics.Array, len(standings))
	for i, s := range standings {
		all[i] = metrics.Array{
			Name: s.Array, Up: s.Up, Leaving: s.Leaving,
			BudgetIOPS: s.Bound.IOPS, PromisedIOPS: s.Promised.IOPS,
			BudgetBytes: s.Bound.Bytes, PromisedBytes: s.Promised.Bytes,
			Volumes: s.Volumes, Others: s.Others, Deleted: s.Deleted, Attachments: s.Nodes,
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
