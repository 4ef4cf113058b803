//go:build observe

package observe

import (
	"context"
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"sigs.k8s.io/yaml"

	"github.com/san-csi/san-csi/tests/controller"
	"github.com/san-csi/san-csi/tests/guest"
	"github.com/san-csi/san-csi/tests/lab"
)

const (
	gib = 1 << 30
	// totalIOPS is what the array declares: little enough for a guest to ask for
	// more.
	totalIOPS         = 600
	controllerAddress = "127.0.0.1:8080"
	nodePort          = "19809"
)

// site is an array of two portals, a controller and a node, each a process of
// its own, and the Prometheus that watches them.
type site struct {
	lab        *lab.Lab
	controller *controller.Driver
	node       *lab.Node
	nodeID     string
	dir        string // the controller's
	*prometheus
}

func open(t *testing.T) *site {
	t.Helper()
	bin := filepath.Join(root, "bin")
	l, err := lab.Open(t.Context(), bin, "--iscsi-redirect=false", fmt.Sprintf("--total-iops=%d", totalIOPS))
	if err != nil {
		t.Fatal(err)
	}
	s := &site{lab: l, dir: t.TempDir()}
	t.Cleanup(func() { _ = l.Array.Kill() })
	s.controller, err = controller.StartDriver(t.Context(), bin, s.dir, []controller.Reached{{
		Name: "a", Endpoint: "https://" + l.Array.APIAddress() + controller.APIPath, Username: l.Username, Password: l.Password, CAFile: l.Array.CAFile(),
	}}, "--metrics-address="+controllerAddress, "--volume-metrics", "--resync-interval=1s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.controller.Kill() })
	s.boot(t)
	s.prometheus = startPrometheus(t,
		job("san-csi-controller-metrics", controllerAddress, "controller-1"),
		job("san-csi-node-metrics", net.JoinHostPort(s.node.VM.IP, nodePort), "node-a"))
	return s
}

// boot starts the node, with multipathd.
func (s *site) boot(t *testing.T) {
	t.Helper()
	var err error
	if s.node, err = s.lab.Boot(t.Context(), "node-a"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.node.VM.Kill() })
	if err := s.node.VM.StartMultipathd(t.Context(), "defaults {\n polling_interval 1\n max_polling_interval 2\n}\nblacklist {\n devnode \"^vd\"\n}\n"); err != nil {
		t.Fatal(err)
	}
	if err := s.node.StartDriver(t.Context(), "--mode=node", "--node-name=node-a", "--metrics-address=:"+nodePort, "--reconcile-interval=1s"); err != nil {
		t.Fatal(err)
	}
	info, err := csi.NewNodeClient(s.node.Conn).NodeGetInfo(t.Context(), &csi.NodeGetInfoRequest{})
	if err != nil {
		t.Fatal(err)
	}
	s.nodeID = info.GetNodeId()
}

// create asks for a volume of that claim, floor and ceiling.
func (s *site) create(ctx context.Context, claim string, floor, ceiling int) (*csi.Volume, error) {
	resp, err := csi.NewControllerClient(s.controller.Conn).CreateVolume(ctx, &csi.CreateVolumeRequest{
		Name: "pvc-" + claim, CapacityRange: &csi.CapacityRange{RequiredBytes: gib}, VolumeCapabilities: []*csi.VolumeCapability{raw()},
		Parameters: map[string]string{
			"minIOPS": fmt.Sprint(floor), "maxIOPS": fmt.Sprint(ceiling), "burstIOPS": fmt.Sprint(ceiling),
			"csi.storage.k8s.io/pvc/name": claim, "csi.storage.k8s.io/pvc/namespace": "shop", "csi.storage.k8s.io/pv/name": "pvc-" + claim,
		},
	})
	return resp.GetVolume(), err
}

func raw() *csi.VolumeCapability {
	return &csi.VolumeCapability{
		AccessMode: &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_MULTI_WRITER},
		AccessType: &csi.VolumeCapability_Block{Block: &csi.VolumeCapability_BlockVolume{}},
	}
}

func staging(claim string) string {
	return path.Join("/var/lib/kubelet/plugins/kubernetes.io/csi/san-csi.io", claim, "globalmount")
}

// attach makes a volume and stages it, over both portals.
func (s *site) attach(t *testing.T, claim string, floor, ceiling int) *csi.Volume {
	t.Helper()
	v, err := s.create(t.Context(), claim, floor, ceiling)
	if err != nil {
		t.Fatal(err)
	}
	grant, err := csi.NewControllerClient(s.controller.Conn).ControllerPublishVolume(t.Context(), &csi.ControllerPublishVolumeRequest{
		VolumeId: v.GetVolumeId(), NodeId: s.nodeID, VolumeCapability: raw(), VolumeContext: v.GetVolumeContext(),
	})
	if err != nil {
		t.Fatal(err)
	}
	grant.PublishContext["portals"] = s.lab.Array.Portal() + "," + s.lab.Array.NodePortal()
	if _, err := csi.NewNodeClient(s.node.Conn).NodeStageVolume(t.Context(), &csi.NodeStageVolumeRequest{
		VolumeId: v.GetVolumeId(), PublishContext: grant.GetPublishContext(), StagingTargetPath: staging(claim), VolumeCapability: raw(), VolumeContext: v.GetVolumeContext(),
	}); err != nil {
		t.Fatal(err)
	}
	return v
}

// read keeps reads of 4 KiB under way on the volume.
func (s *site) read(t *testing.T, claim string) {
	t.Helper()
	if _, err := s.node.VM.Start(t.Context(), fmt.Sprintf("exec fio --name=%s --filename=%s --size=64m --rw=randread --bs=4k --direct=1 --ioengine=libaio --iodepth=16 --time_based --runtime=600",
		claim, path.Join(staging(claim), "device")), "/var/log/fio-"+claim+".log"); err != nil {
		t.Fatal(err)
	}
}

// relabel changes the arrays' file.
func (s *site) relabel(t *testing.T) {
	t.Helper()
	name := filepath.Join(s.dir, "config", "arrays.yaml")
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Arrays []map[string]any `json:"arrays"`
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	file.Arrays[0]["labels"] = map[string]string{"tier": "fast"}
	if raw, err = yaml.Marshal(file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// must fails the test where a step did.
func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// cut is [guest.Cut] of the array's second portal.
func (s *site) cut(t *testing.T)  { must(t, guest.Cut(t.Context(), guest.NodeIP)) }
func (s *site) mend(t *testing.T) { must(t, guest.Mend(t.Context(), guest.NodeIP)) }
