package cluster

import (
	"bytes"
	"fmt"
	"path/filepath"
	"text/template"
)

// node is what a kubelet and its containerd are told, in the guest or on the
// host; paths are as seen there.
type node struct {
	Name    string
	IP      string
	Pods    string // subnet of its pods
	State   string // directory of containerd, kubelet and addresses
	CNIBin  string // directory of the network plugins
	Runc    string
	Etc     string // directory of the files that render makes
	ForHost bool   // needs what a container host that is itself confined needs
}

func (n node) Socket() string      { return filepath.Join(n.State, "containerd.sock") }
func (n node) KubeletRoot() string { return filepath.Join(n.State, "kubelet") }

// hostTaint keeps from the host what does not ask for it; workerLabel is on the
// others, and startupTaint until the driver is there.
const (
	hostTaint    = "san-csi.io/host"
	workerLabel  = "san-csi.io/worker"
	startupTaint = "san-csi.io/agent-not-ready"
)

// podLogs is the directory of the pods' logs, in the node's state.
const podLogs = "pod-logs"

// kubeletArgs are the kubelet's arguments.
func (n node) kubeletArgs() []string {
	labels := ""
	if !n.ForHost {
		labels = workerLabel + "=true"
	}
	return []string{
		"--config=" + filepath.Join(n.Etc, "kubelet.yaml"),
		"--kubeconfig=" + filepath.Join(n.Etc, "kubeconfig"),
		"--hostname-override=" + n.Name, "--node-ip=" + n.IP, "--node-labels=" + labels,
		"--root-dir=" + n.KubeletRoot(), "--cert-dir=" + filepath.Join(n.State, "pki"),
		"--housekeeping-interval=30s", "--v=2",
	}
}

// nodeFiles are the configuration files of a node, by name.
var nodeFiles = map[string]*template.Template{
	"containerd.toml": template.Must(template.New("").Parse(`version = 2
root = "{{.State}}/containerd"
state = "{{.State}}/containerd-state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
  address = "{{.Socket}}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "` + pauseImage + `"
  disable_apparmor = true
  restrict_oom_score_adj = {{.ForHost}}
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{{.CNIBin}}"
    conf_dir = "{{.Etc}}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "{{.Runc}}"
`)),
	// A pod's veth has a route each way; without masquerade no iptables is needed.
	"cni/10-ptp.conflist": template.Must(template.New("").Parse(`{"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "ptp", "ipMasq": false,
 "ipam": {"type": "host-local", "dataDir": "{{.State}}/addresses", "subnet": "{{.Pods}}", "routes": [{"dst": "0.0.0.0/0"}]}}]}
`)),
	// The short periods make attach and expansion seen in seconds: by default a
	// mount waits up to 10 s for the attach to be reported.
	"kubelet.yaml": template.Must(template.New("").Parse(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://{{.Socket}}
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
makeIPTablesUtilChains: false
address: {{.IP}}
healthzBindAddress: 127.0.0.1
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: {{.Etc}}/client-ca.crt}}
authorization: {mode: Webhook}
resolvConf: ""
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 50Mi}
volumePluginDir: {{.State}}/plugins
podLogsDir: {{.State}}/` + podLogs + `
nodeStatusReportFrequency: 1m
nodeStatusUpdateFrequency: 1s
syncFrequency: 5s
volumeStatsAggPeriod: -1s
{{- if .ForHost}}
# The host's cgroups are the host's: pods have theirs beside, without limits.
cgroupsPerQOS: false
enforceNodeAllocatable: []
registerWithTaints: [{key: ` + hostTaint + `, effect: NoSchedule}]
{{- else}}
# As docs/install.md has it: the driver takes it away once it is registered.
registerWithTaints: [{key: ` + startupTaint + `, effect: NoExecute}]
{{- end}}
`)),
}

// render returns the node's configuration files by name.
func (n node) render() (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, t := range nodeFiles {
		var b bytes.Buffer
		if err := t.Execute(&b, n); err != nil {
			return nil, fmt.Errorf("%s of node %s: %w", name, n.Name, err)
		}
		files[name] = b.Bytes()
	}
	return files, nil
}
