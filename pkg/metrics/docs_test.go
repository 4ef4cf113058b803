package metrics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// full are metrics of which each has been told something.
func full() *Metrics {
	m := New("v1", true)
	m.Call("CreateVolume", "OK", time.Second)
	m.ArrayCall("a", "ListVolumes", "ok", time.Second)
	m.Loaded()
	m.Reloaded(errors.New("x"))
	m.Arrays(func() []Array {
		return []Array{{Name: "a", Up: true, BudgetIOPS: 1000, PromisedIOPS: 1100, BudgetBytes: 10, PromisedBytes: 4, Volumes: 3, Others: 2, Deleted: 1, Attachments: 5,
			StoreBytes: 100, UsedBytes: 97, Fullness: 4, Faults: []Fault{{"blockClusterFull", "error"}}}}
	})
	m.Node(func() Node {
		return Node{Staged: 4, Recovering: 1, Missing: 2, Paths: 6, Fenced: 3, Portals: map[string]bool{"192.0.2.1:3260": true}}
	})
	m.NodeAction("login", "ok")
	m.Volumes(func(context.Context) []Volume {
		return []Volume{{Array: "a", ID: "3eeu:1:00000000", PV: "pvc-1", PVC: "shop/data", Floor: 50, Ceiling: 100, Burst: 200, ActualIOPS: 70, Throttle: .5}}
	})
	return m
}

// family is one metric as it is served.
type family struct {
	kind    string
	labels  []string // names
	samples []sample
}

type sample struct {
	labels []string // values
	value  float64  // of a gauge
}

// gathered are the metrics of ours by name.
func gathered(t *testing.T, m *Metrics) map[string]family {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]family{}
	for _, f := range families {
		name, ours := strings.CutPrefix(f.GetName(), namespace+"_")
		if !ours {
			continue
		}
		one := family{kind: strings.ToLower(f.GetType().String())}
		for _, metric := range f.GetMetric() {
			s := sample{value: metric.GetGauge().GetValue()}
			one.labels = nil
			for _, l := range metric.GetLabel() {
				one.labels, s.labels = append(one.labels, l.GetName()), append(s.labels, l.GetValue())
			}
			one.samples = append(one.samples, s)
		}
		found[name] = one
	}
	return found
}

// row is a line of the page's tables: name, type, labels.
var row = regexp.MustCompile("(?m)^\\| `san_csi_([a-z_]+)` \\| ([a-z]+) \\| ([^|]*) \\|")

// TestDocs holds docs/metrics.md against what is served.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for _, cells := range row.FindAllStringSubmatch(string(page), -1) {
		told[cells[1]] = cells[2] + " " + cells[3]
	}
	served := map[string]string{}
	for name, f := range gathered(t, full()) {
		served[name] = f.kind + " "
		if len(f.labels) > 0 {
			served[name] += "`" + strings.Join(f.labels, "`, `") + "`"
		}
	}
	if !maps.Equal(told, served) {
		for _, name := range slices.Sorted(maps.Keys(served)) {
			if told[name] != served[name] {
				t.Errorf("%s: served as %q, told as %q", name, served[name], told[name])
			}
		}
		for name := range told {
			if _, ok := served[name]; !ok {
				t.Errorf("%s: told, and not served", name)
			}
		}
	}
}

func TestArrays(t *testing.T) {
	found := gathered(t, full())
	for name, want := range map[string]float64{
		"array_up": 1, "array_leaving": 0, "array_iops_budget": 1000, "array_iops_promised": 1100, "array_iops_headroom": -100,
		"array_bytes_headroom": 6, "array_overrun": 1, "array_attachments": 5,
		"array_store_bytes": 100, "array_store_used_bytes": 97, "array_fullness_stage": 4, "array_fault": 1,
		"volume_floor_iops": 50, "volume_throttle": .5, "node_volumes_staged": 4, "node_volumes_recovering": 1,
		"node_volumes_without_session": 2, "node_paths_missing": 6, "node_volumes_fenced": 3, "node_portal_reached": 1, "config_valid": 0, "leader": 0,
	} {
		if f := found[name]; len(f.samples) != 1 || f.samples[0].value != want {
			t.Errorf("%s: %+v, want %v", name, f, want)
		}
	}
	var volumes []string
	for _, s := range found["array_volumes"].samples {
		volumes = append(volumes, fmt.Sprint(s.labels[1], " ", s.value))
	}
	if want := []string{"cluster 3", "deleted 1", "others 2"}; !slices.Equal(volumes, want) {
		t.Errorf("volumes %v, want %v", volumes, want)
	}
}

// TestNothingWithoutWork: a standby tells of no array, a node of calls alone.
func TestNothingWithoutWork(t *testing.T) {
	standby := New("v1", true)
	standby.Arrays(func() []Array { return nil })
	standby.Volumes(func(context.Context) []Volume { return nil })
	node := New("v1", false)
	for _, m := range []*Metrics{standby, node} {
		m.Call("Probe", "OK", time.Millisecond)
	}
	for m, want := range map[*Metrics][]string{
		standby: {"build_info", "config_loaded_timestamp_seconds", "config_valid", "grpc_call_duration_seconds", "leader"},
		node:    {"build_info", "grpc_call_duration_seconds"},
	} {
		if got := slices.Sorted(maps.Keys(gathered(t, m))); !slices.Equal(got, want) {
			t.Errorf("served are %v, want %v", got, want)
		}
	}
}
