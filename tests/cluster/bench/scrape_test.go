package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

const page = `# HELP csi_sidecar_operations_seconds x
csi_sidecar_operations_seconds_bucket{driver_name="san-csi.io",grpc_status_code="OK",method_name="/csi.v1.Controller/CreateVolume",migrated="false",le="0.1"} 2
csi_sidecar_operations_seconds_sum{driver_name="san-csi.io",grpc_status_code="OK",method_name="/csi.v1.Controller/CreateVolume",migrated="false"} 3.5
csi_sidecar_operations_seconds_count{driver_name="san-csi.io",grpc_status_code="OK",method_name="/csi.v1.Controller/CreateVolume",migrated="false"} 2
san_csi_grpc_call_duration_seconds_sum{code="OK",method="CreateVolume"} 3
san_csi_grpc_call_duration_seconds_sum{code="Aborted",method="CreateVolume"} 0.25
san_csi_grpc_call_duration_seconds_count{code="OK",method="CreateVolume"} 2
san_csi_grpc_call_duration_seconds_count{code="Aborted",method="CreateVolume"} 1
san_csi_array_call_duration_seconds_sum{array="a",method="ListVolumes"} 1e-01
san_csi_array_call_duration_seconds_count{array="a",method="ListVolumes"} 4
go_goroutines 12
`

func TestShare(t *testing.T) {
	none := sums{map[string]spent{}, map[string]spent{}, map[string]spent{}}
	s := sums{map[string]spent{}, map[string]spent{}, map[string]spent{}}
	if err := s.parse(strings.NewReader(page)); err != nil {
		t.Fatal(err)
	}
	if got := s.sidecar["CreateVolume"]; got != (spent{2, 3.5}) {
		t.Errorf("sidecar %+v", got)
	}
	if got := s.driver["CreateVolume"]; got != (spent{3, 3.25}) {
		t.Errorf("driver %+v", got)
	}
	if got := s.array["ListVolumes"]; got != (spent{4, 0.1}) {
		t.Errorf("array %+v", got)
	}
	if again := s.since(s); len(again.driver) != 0 {
		t.Errorf("nothing came, and there is %+v", again)
	}
	p := phase{took: []time.Duration{30 * time.Second, 33 * time.Second}, spent: s.since(none)}
	if driver, array, rest := p.share("CreateVolume"); math.Abs(driver-3.15/63) > 1e-9 || math.Abs(array-0.1/63) > 1e-9 || math.Abs(driver+array+rest-1) > 1e-9 {
		t.Errorf("shares %v, %v, %v", driver, array, rest)
	}
	r := report{options: options{claims: 2}, bind: p, classed: 2}
	if !r.met() {
		t.Error("5 % are too much")
	}
	r.classed = 1
	if r.met() {
		t.Error("a volume without its class passes")
	}
	r.classed = 2
	r.bind.took = []time.Duration{10 * time.Second, 10 * time.Second}
	if r.met() {
		t.Error("16 % are little enough")
	}
}
