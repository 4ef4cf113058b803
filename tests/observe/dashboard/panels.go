package main

// row is a line of the dashboard with its panels.
type row struct {
	title  string
	panels []panel
}

// panel draws what its queries give over time.
type panel struct {
	title, unit string // Grafana's name of the unit
	help        string
	queries     []query
	below       bool // its values may be negative
}

type query struct{ expr, legend string }

// rows is the dashboard.
var rows = []row{
	{"Arrays", []panel{
		{title: "Floors promised", unit: "iops", help: "The sum of minIOPS that are promised on each array, against its budget. IOPS are of 4 KiB.", queries: []query{
			{`san_csi_array_iops_promised{array=~"$array"}`, "{{array}} promised"},
			{`san_csi_array_iops_budget{array=~"$array"}`, "{{array}} budget"},
		}},
		{title: "Headroom: floors", unit: "iops", help: "What may still be promised. Below zero where others went past the budget.", below: true, queries: []query{
			{`san_csi_array_iops_headroom{array=~"$array"}`, "{{array}}"},
		}},
		{title: "Headroom: bytes", unit: "bytes", help: "What may still be provisioned.", below: true, queries: []query{
			{`san_csi_array_bytes_headroom{array=~"$array"}`, "{{array}}"},
		}},
		{title: "Fullness", unit: "bytes", help: "What the array stores, after its own reduction, against what it can store.", queries: []query{
			{`san_csi_array_store_used_bytes{array=~"$array"}`, "{{array}} used"},
			{`san_csi_array_store_bytes{array=~"$array"}`, "{{array}} in all"},
		}},
		{title: "Fullness stage", unit: "short", help: "1 fine, 2 aware, 3 low, 4 critical (nothing new can be made), 5 consumed (nothing can be written).", queries: []query{
			{`san_csi_array_fullness_stage{array=~"$array"}`, "{{array}}"},
		}},
		{title: "Up, overrun, leaving, faults", unit: "short", help: "Up: the array answered at the last look. Overrun: more is promised than the budget has. Leaving: it is no longer in the arrays' file.", queries: []query{
			{`san_csi_array_up{array=~"$array"}`, "{{array}} up"},
			{`san_csi_array_overrun{array=~"$array"}`, "{{array}} overrun"},
			{`san_csi_array_leaving{array=~"$array"}`, "{{array}} leaving"},
			{`count by (array, code) (san_csi_array_fault{array=~"$array"})`, "{{array}} {{code}}"},
		}},
		{title: "Volumes", unit: "short", help: "Of this cluster, of others, and deleted ones in the recycle bin.", queries: []query{
			{`san_csi_array_volumes{array=~"$array"}`, "{{array}} {{of}}"},
		}},
		{title: "Attachments", unit: "short", help: "Grants of this cluster's volumes to nodes.", queries: []query{
			{`san_csi_array_attachments{array=~"$array"}`, "{{array}}"},
		}},
		{title: "Refused for want of room", unit: "cps", help: "Calls that were answered with ResourceExhausted: the floor or the bytes do not fit.", queries: []query{
			{`sum by (method) (rate(san_csi_grpc_call_duration_seconds_count{code="ResourceExhausted"}[$__rate_interval]))`, "{{method}}"},
		}},
	}},
	{"Calls", []panel{
		{title: "CSI calls", unit: "reqps", queries: []query{
			{`sum by (method, code) (rate(san_csi_grpc_call_duration_seconds_count[$__rate_interval]))`, "{{method}} {{code}}"},
		}},
		{title: "CSI calls: 99th percentile", unit: "s", queries: []query{
			{`histogram_quantile(0.99, sum by (le, method) (rate(san_csi_grpc_call_duration_seconds_bucket[$__rate_interval])))`, "{{method}}"},
		}},
		{title: "CSI calls: mean", unit: "s", queries: []query{
			{`sum by (method) (rate(san_csi_grpc_call_duration_seconds_sum[$__rate_interval])) / (sum by (method) (rate(san_csi_grpc_call_duration_seconds_count[$__rate_interval])) > 0)`, "{{method}}"},
		}},
		{title: "Array calls", unit: "reqps", help: "Attempts of calls to the arrays' API, by how they ended.", queries: []query{
			{`sum by (array, method, result) (rate(san_csi_array_calls_total{array=~"$array"}[$__rate_interval]))`, "{{array}} {{method}} {{result}}"},
		}},
		{title: "Array calls: 99th percentile", unit: "s", queries: []query{
			{`histogram_quantile(0.99, sum by (le, array, method) (rate(san_csi_array_call_duration_seconds_bucket{array=~"$array"}[$__rate_interval])))`, "{{array}} {{method}}"},
		}},
		{title: "Circuit breaker: calls held back", unit: "reqps", help: "Calls that were not made, since the array had not answered those before. Above zero: the breaker is open.", queries: []query{
			{`sum by (array) (rate(san_csi_array_calls_total{array=~"$array", result="open"}[$__rate_interval]))`, "{{array}}"},
		}},
		{title: "Leader", unit: "short", help: "1 is the controller that serves.", queries: []query{
			{`san_csi_leader`, "{{instance}}"},
		}},
		{title: "Arrays' file", unit: "short", help: "Whether the file as it is now is in force, and how often it changed.", queries: []query{
			{`san_csi_config_valid`, "{{instance}} valid"},
			{`increase(san_csi_config_reloads_total[$__rate_interval])`, "{{instance}} {{result}}"},
		}},
		{title: "Versions", unit: "short", help: "Processes of the driver by version: more than one while an upgrade is under way.", queries: []query{
			{`count by (version) (san_csi_build_info)`, "{{version}}"},
		}},
	}},
	{"Volumes (controller.volumeMetrics)", []panel{
		{title: "IOPS", unit: "iops", help: "What each volume did in the array's last sample, I/Os of any size.", queries: []query{
			{`san_csi_volume_actual_iops{array=~"$array", pvc=~"$pvc"}`, "{{pvc}}"},
		}},
		{title: "Floor, ceiling, burst", unit: "iops", help: "In force on the array, IOPS of 4 KiB.", queries: []query{
			{`san_csi_volume_floor_iops{array=~"$array", pvc=~"$pvc"}`, "{{pvc}} floor"},
			{`san_csi_volume_ceiling_iops{array=~"$array", pvc=~"$pvc"}`, "{{pvc}} ceiling"},
			{`san_csi_volume_burst_iops{array=~"$array", pvc=~"$pvc"}`, "{{pvc}} burst"},
		}},
		{title: "Throttle", unit: "percentunit", help: "How far the array holds the volume below its ceiling although it wants more: floors of others come first.", queries: []query{
			{`san_csi_volume_throttle{array=~"$array", pvc=~"$pvc"}`, "{{pvc}}"},
		}},
	}},
	{"Nodes (node.enableMetrics)", []panel{
		{title: "Volumes staged", unit: "short", queries: []query{
			{`san_csi_node_volumes_staged{instance=~"$node"}`, "{{instance}}"},
		}},
		{title: "Sessions in recovery, or none", unit: "short", help: "Staged volumes whose I/O hangs, and fails after 120 s.", queries: []query{
			{`san_csi_node_volumes_recovering{instance=~"$node"}`, "{{instance}} recovering"},
			{`san_csi_node_volumes_without_session{instance=~"$node"}`, "{{instance}} without a session"},
		}},
		{title: "Paths missing", unit: "short", help: "Paths of staged volumes that do not serve beside those that do.", queries: []query{
			{`san_csi_node_paths_missing{instance=~"$node"}`, "{{instance}}"},
		}},
		{title: "Portals reached", unit: "short", help: "0: the portal of a staged volume takes no connection from the node.", queries: []query{
			{`san_csi_node_portal_reached{instance=~"$node"}`, "{{instance}} {{portal}}"},
		}},
		{title: "Fenced and not confirmed", unit: "short", help: "Volumes that the controller took from the node and that it has not let go of.", queries: []query{
			{`san_csi_node_volumes_fenced{instance=~"$node"}`, "{{instance}}"},
		}},
		{title: "Reconciler", unit: "cps", help: "What the nodes' reconcilers did or saw.", queries: []query{
			{`sum by (instance, action, result) (rate(san_csi_node_actions_total{instance=~"$node"}[$__rate_interval]))`, "{{instance}} {{action}} {{result}}"},
		}},
	}},
}
