// Package cluster is a real Kubernetes for tests, on one machine and without an
// image registry: etcd, the control plane and san-array are host processes in
// the private world of package guest; workers are its virtual machines, with
// containerd, kubelet and the kernel's iSCSI; the host is a node too, for pods
// that need no iSCSI, at native speed. The driver is installed by helm from
// this repository's chart.
//
// Two of the images the chart names cannot be built from Go modules, and have
// stand-ins here (tools/registrar): node-driver-registrar, of which only the
// registration with the kubelet is done, and livenessprobe, which asks Probe.
//
// What is built from modules (tools/go.mod) is cached under the user's cache
// directory by a hash of the module; the first build takes half an hour and more.
package cluster

import (
	"fmt"
	"os"
)

// Addresses of the private network beside those of package guest.
const (
	// serviceIP is the API server's, on the host's loopback: it is where
	// in-cluster clients look for it, so that no kube-proxy is needed.
	serviceIP    = "10.96.0.1"
	serviceRange = "10.96.0.0/16"
	// apiServerURL is how everything in the private network reaches it.
	apiServerURL = "https://" + serviceIP + ":443"
	// hostNode is the name of the host as a node.
	hostNode = "host"
	// podRange has the number of a node: 0 is the host.
	podRange = "10.124.%d.0/24"
)

// progress tells a person who waits what takes so long.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "cluster: "+format+"\n", args...)
}
