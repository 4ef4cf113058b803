package driver

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/san-csi/san-csi/pkg/provision"
	"github.com/san-csi/san-csi/pkg/san"
)

// reached makes volumes that nodes of zone b reach.
type reached struct {
	Volumes
	asked provision.Topology
	place map[string]string
}

func (r *reached) Create(_ context.Context, req provision.CreateRequest) (*provision.Created, error) {
	r.asked = req.Topology
	return &provision.Created{Volume: &san.Volume{}, Topology: []map[string]string{{"zone": "b"}}}, nil
}

func (r *reached) Capacity(_ context.Context, _, place map[string]string) (provision.Capacity, error) {
	r.place = place
	return provision.Capacity{}, nil
}

func TestTopologyOnTheWire(t *testing.T) {
	flows := &reached{}
	c := NewController(flows, nil, nil)
	place := func(zone string) *csi.Topology { return &csi.Topology{Segments: map[string]string{"zone": zone}} }
	made, err := c.CreateVolume(t.Context(), &csi.CreateVolumeRequest{
		Name: "pvc-1", VolumeCapabilities: []*csi.VolumeCapability{{
			AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER},
			AccessType: &csi.VolumeCapability_Block{Block: &csi.VolumeCapability_BlockVolume{}},
		}},
		AccessibilityRequirements: &csi.TopologyRequirement{Requisite: []*csi.Topology{place("a"), place("b")}, Preferred: []*csi.Topology{place("b")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := flows.asked; len(r.Requisite) != 2 || r.Requisite[0]["zone"] != "a" || len(r.Preferred) != 1 || r.Preferred[0]["zone"] != "b" {
		t.Errorf("asked for %+v", r)
	}
	if got := made.GetVolume().GetAccessibleTopology(); len(got) != 1 || got[0].GetSegments()["zone"] != "b" {
		t.Errorf("told that it is reached from %v", got)
	}
	for _, from := range []*csi.Topology{place("b"), nil} {
		room, err := c.GetCapacity(t.Context(), &csi.GetCapacityRequest{AccessibleTopology: from})
		if err != nil || room.GetMaximumVolumeSize() == nil || !maps.Equal(flows.place, from.GetSegments()) {
			t.Errorf("capacity from %v: %v, %v", flows.place, room, err)
		}
	}
}

func TestTopologyOfTheDriver(t *testing.T) {
	for _, constrained := range []bool{false, true} {
		caps, err := (&identity{controller: true, topology: constrained, duty: &duty{}}).GetPluginCapabilities(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		told := false
		for _, c := range caps.GetCapabilities() {
			told = told || c.GetService().GetType() == csi.PluginCapability_Service_VOLUME_ACCESSIBILITY_CONSTRAINTS
		}
		if told != constrained {
			t.Errorf("accessibility constraints are told: %t, want %t", told, constrained)
		}
	}
	for _, labels := range []map[string]string{nil, {"zone": "b"}} {
		info, err := NewNode(NodeOptions{Topology: labels}).NodeGetInfo(t.Context(), nil)
		if err != nil || !maps.Equal(info.GetAccessibleTopology().GetSegments(), labels) || (info.AccessibleTopology == nil) != (labels == nil) {
			t.Errorf("a node of %v tells %v, %v", labels, info.GetAccessibleTopology(), err)
		}
	}
}

// TestObserve: a call is told by its own name and its code, also one that ended
// in an error without one.
func TestObserve(t *testing.T) {
	var seen []string
	watch := observe(func(method, code string, took time.Duration) {
		if took < 0 {
			t.Error(took)
		}
		seen = append(seen, method+" "+code)
	})
	for _, err := range []error{nil, status.Error(codes.NotFound, "x"), context.Canceled} {
		_, got := watch(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: "/csi.v1.Node/NodeStageVolume"}, func(context.Context, any) (any, error) { return nil, err })
		if got != err { //nolint:errorlint // the very same
			t.Errorf("%v became %v", err, got)
		}
	}
	if len(seen) != 3 || seen[0] != "NodeStageVolume OK" || seen[1] != "NodeStageVolume NotFound" || seen[2] != "NodeStageVolume Unknown" {
		t.Errorf("told %q", seen)
	}
}
