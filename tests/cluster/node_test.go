package cluster

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestRenderNode(t *testing.T) {
	for _, test := range []struct {
		name   string
		node   node
		taints int
		labels string
		qos    *bool // cgroupsPerQOS
	}{
		{"worker", node{Name: "node-a", IP: "192.0.2.11", Pods: "10.124.1.0/24", State: "/state", Etc: "/etc/k"}, 1, "san-csi.io/worker=true", nil},
		{"host", node{Name: "host", IP: "192.0.2.1", Pods: "10.124.0.0/24", State: "/state", Etc: "/etc/k", ForHost: true}, 1, "", new(false)},
	} {
		t.Run(test.name, func(t *testing.T) {
			files, err := test.node.render()
			if err != nil {
				t.Fatal(err)
			}
			var kubelet struct {
				Address                  string
				ContainerRuntimeEndpoint string
				CgroupsPerQOS            *bool
				RegisterWithTaints       []struct{ Key string }
			}
			if err := yaml.Unmarshal(files["kubelet.yaml"], &kubelet); err != nil {
				t.Fatal(err)
			}
			if kubelet.Address != test.node.IP || kubelet.ContainerRuntimeEndpoint != "unix:///state/containerd.sock" {
				t.Errorf("kubelet %+v", kubelet)
			}
			if len(kubelet.RegisterWithTaints) != test.taints || (kubelet.CgroupsPerQOS == nil) != (test.qos == nil) {
				t.Errorf("kubelet %+v", kubelet)
			}
			var network struct {
				Plugins []struct {
					Ipam struct{ Subnet string }
				}
			}
			if err := json.Unmarshal(files["cni/10-ptp.conflist"], &network); err != nil {
				t.Fatal(err)
			}
			if len(network.Plugins) != 1 || network.Plugins[0].Ipam.Subnet != test.node.Pods {
				t.Errorf("network %+v", network)
			}
			if !strings.Contains(string(files["containerd.toml"]), `sandbox_image = "`+pauseImage+`"`) {
				t.Errorf("containerd's configuration has no pause image:\n%s", files["containerd.toml"])
			}
			if !slices.Contains(test.node.kubeletArgs(), "--node-labels="+test.labels) {
				t.Errorf("kubelet's arguments %q", test.node.kubeletArgs())
			}
		})
	}
}
