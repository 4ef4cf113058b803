package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/san-csi/san-csi/pkg/driver"
	"github.com/san-csi/san-csi/pkg/initiator"
)

type mode string

const (
	modeController mode = "controller"
	modeNode       mode = "node"
	modeAll        mode = "all"
)

func (m mode) controller() bool { return m == modeController || m == modeAll }
func (m mode) node() bool       { return m == modeNode || m == modeAll }

type options struct {
	mode     mode
	endpoint string
	version  bool

	arrays        string
	cluster       string
	sweepInterval time.Duration
	resync        time.Duration
	arrayRate     float64

	nodeName      string
	initiator     string
	restartIscsid bool
	replacement   time.Duration
	initiatorName string
	records       string
	hostRoot      string
	iscsiadm      string
	maxVolumes    int
	maxConcurrent int
	reconcile     time.Duration
	startupTaint  string
	topology      pairs
	topologyKeys  string

	kubeconfig     string
	kubeQPS        float64
	kubeBurst      int
	leaderElection bool
	lease          lease
	httpEndpoint   string
	metricsAddress string
	volumeMetrics  bool

	tracingEndpoint string
}

// pairs is a flag of the form key=value,key=value.
type pairs map[string]string

func (p *pairs) String() string { return labels.Set(*p).String() }

func (p *pairs) Set(text string) error {
	set, err := labels.ConvertSelectorToLabelsMap(text)
	*p = pairs(set)
	return err
}

// lease is what the controllers of one cluster compete for.
type lease struct {
	namespace, name, identity string
	duration                  time.Duration
}

func bind(f *flag.FlagSet) *options {
	o := &options{}
	f.StringVar((*string)(&o.mode), "mode", string(modeAll), "what to serve: controller, node or all")
	f.StringVar(&o.endpoint, "endpoint", "unix:///csi/csi.sock", "the CSI socket")
	f.BoolVar(&o.version, "version", false, "print the version and end")

	f.StringVar(&o.arrays, "arrays", "/etc/san-csi/arrays.yaml", "the arrays' file (controller)")
	f.StringVar(&o.cluster, "cluster", "", "this Kubernetes cluster's name on the arrays: volumes of other names are left alone; by default the UID of its namespace kube-system, outside of Kubernetes \"default\" (controller)")
	f.DurationVar(&o.sweepInterval, "sweep-interval", time.Minute, "how often leftovers of calls that were cut off are looked for (controller)")
	f.DurationVar(&o.resync, "resync-interval", time.Minute, "how often the arrays' volumes are read, to see what others promised (controller)")
	f.Float64Var(&o.arrayRate, "array-calls-per-second", 0, "at most so many calls a second to each array, as many at once; 0 = no bound (controller)")

	f.StringVar(&o.nodeName, "node-name", "", "this node's name, by default the host's (node)")
	f.StringVar(&o.initiator, "initiator", initiatorHost, "whose initiator name this node logs in under: the host's, or the driver's own, which stays as long as the node's name and /etc/machine-id do: host or own (node)")
	f.DurationVar(&o.replacement, "replacement-timeout", 2*time.Minute, "how long I/O waits for a lost session before it fails, whole seconds; of the paths of its maps multipathd decides (node)")
	f.BoolVar(&o.restartIscsid, "restart-iscsid", true, "restart iscsid, by iscsiadm, where what it remembers is over and would keep sessions from logging in: a CHAP secret that was replaced, a session that the kernel has no more; sessions live through that (node)")
	f.StringVar(&o.initiatorName, "initiator-name-file", "/etc/iscsi/initiatorname.iscsi", "where iscsid reads the initiator's name (node)")
	f.StringVar(&o.records, "records-dir", "/var/lib/san-csi/records", "stage records: on the host's disk, kept over restarts (node)")
	f.StringVar(&o.hostRoot, "host-root", "", "where the host's root is mounted, \"\" = it is this one (node)")
	f.StringVar(&o.iscsiadm, "iscsiadm", string(initiator.ReachAuto), "how the host's iscsiadm and multipath are run: direct, by chroot into --host-root, by nsenter into the namespaces of iscsid and multipathd (Talos; needs the host's PID namespace), or auto, whichever is found (node)")
	f.IntVar(&o.maxVolumes, "max-volumes", 0, "how many volumes a node takes, the same for controller and nodes; 0 = the array's own bound")
	f.IntVar(&o.maxConcurrent, "max-concurrent-stages", 16, "how many volumes are staged at once; others wait for their turn. As many are unstaged beside them (node)")
	f.DurationVar(&o.reconcile, "reconcile-interval", 30*time.Second, "how often what is on the node is held against the stage records and the controller's fences (node)")
	f.StringVar(&o.startupTaint, "startup-taint", "", "key of a taint to remove from this node once its kubelet has registered the driver; --node-name must be the Node's name then (node)")
	f.Var(&o.topology, "topology", "labels of this node, key=value,..., by which arrays say who reaches them (node)")
	f.StringVar(&o.topologyKeys, "topology-keys", "", "keys, separated by commas, of labels to take from the Node object for that; --node-name must be the Node's name then (node)")

	f.StringVar(&o.kubeconfig, "kubeconfig", "", "how to reach the Kubernetes API, by default as a pod of the cluster; --leader-election, --startup-taint, --topology-keys, --lease-namespace and the default of --cluster ask it; who has it anyway tells events: a controller about claims, a node about its Node")
	f.Float64Var(&o.kubeQPS, "kube-api-qps", 50, "at most so many calls a second to the Kubernetes API")
	f.IntVar(&o.kubeBurst, "kube-api-burst", 100, "as many of them at once")
	f.BoolVar(&o.leaderElection, "leader-election", false, "stand by, not ready, until this process holds the Lease, and end when it is lost (--mode=controller)")
	f.StringVar(&o.lease.namespace, "lease-namespace", "", "namespace of the Leases: the controller's, needed with --leader-election, and one per node, in which nodes hear what they were fenced from and confirm that it is over (controller and node)")
	f.StringVar(&o.lease.name, "lease-name", driver.Name, "name of the Lease")
	f.StringVar(&o.lease.identity, "lease-identity", "", "this process among the Lease's candidates, such as its pod's name; by default the host's name and a random part")
	f.DurationVar(&o.lease.duration, "lease-duration", 15*time.Second, "how long a Lease that is not renewed stays its holder's: the time a standby waits for a leader that died")
	f.StringVar(&o.httpEndpoint, "http-endpoint", "", "host:port to answer /healthz on, \"\" = nowhere")
	f.StringVar(&o.metricsAddress, "metrics-address", "", "host:port to serve Prometheus metrics on, \"\" = nowhere")
	f.BoolVar(&o.volumeMetrics, "volume-metrics", false, "metrics of each volume too (controller)")
	f.StringVar(&o.tracingEndpoint, "tracing-endpoint", "", "http[s]://host:port of an OpenTelemetry collector that takes OTLP over HTTP: a span for each CSI call and each call to an array; \"\" = none")
	return o
}

func (o *options) validate() error {
	if !o.mode.controller() && !o.mode.node() {
		return fmt.Errorf("--mode %q: must be %s, %s or %s", o.mode, modeController, modeNode, modeAll)
	}
	if path, ok := strings.CutPrefix(o.endpoint, "unix://"); !ok || !filepath.IsAbs(path) {
		return fmt.Errorf("--endpoint %q: must be unix:///path/to/csi.sock", o.endpoint)
	}
	if len(o.cluster) > 63 {
		return fmt.Errorf("--cluster %q: must be at most 63 bytes", o.cluster)
	}
	if o.mode.controller() && o.sweepInterval <= 0 {
		return fmt.Errorf("--sweep-interval %s: must be positive", o.sweepInterval)
	}
	if o.mode.controller() && o.resync <= 0 {
		return fmt.Errorf("--resync-interval %s: must be positive", o.resync)
	}
	if o.arrayRate < 0 {
		return fmt.Errorf("--array-calls-per-second %g: must not be negative", o.arrayRate)
	}
	if o.kubeQPS <= 0 {
		return fmt.Errorf("--kube-api-qps %g: must be positive", o.kubeQPS)
	}
	if o.kubeBurst < 1 {
		return fmt.Errorf("--kube-api-burst %d: must be at least 1", o.kubeBurst)
	}
	if o.maxVolumes < 0 {
		return fmt.Errorf("--max-volumes %d: must not be negative", o.maxVolumes)
	}
	if o.mode.node() {
		if err := o.validateNode(); err != nil {
			return err
		}
	}
	if err := o.validateElection(); err != nil {
		return err
	}
	if o.startupTaint != "" && (!o.mode.node() || o.nodeName == "") {
		return fmt.Errorf("--startup-taint %s: needs --mode=%s and --node-name", o.startupTaint, modeNode)
	}
	if o.topologyKeys != "" && (!o.mode.node() || o.nodeName == "") {
		return fmt.Errorf("--topology-keys %s: needs --mode=%s and --node-name", o.topologyKeys, modeNode)
	}
	return o.complete()
}

func (o *options) validateElection() error {
	if !o.leaderElection {
		return nil
	}
	if o.mode != modeController {
		return fmt.Errorf("--leader-election with --mode=%s: only controllers compete, a node always serves", o.mode)
	}
	if o.lease.namespace == "" || o.lease.name == "" {
		return fmt.Errorf("--leader-election: --lease-namespace %q and --lease-name %q must both be given", o.lease.namespace, o.lease.name)
	}
	if o.lease.duration < minLease {
		return fmt.Errorf("--lease-duration %s: must be at least %s", o.lease.duration, minLease)
	}
	return nil
}

func (o *options) validateNode() error {
	if o.initiator != initiatorHost && o.initiator != initiatorOwn {
		return fmt.Errorf("--initiator %q: must be %s or %s", o.initiator, initiatorHost, initiatorOwn)
	}
	if !slices.Contains(initiator.Reaches, initiator.Reach(o.iscsiadm)) {
		return fmt.Errorf("--iscsiadm %q: must be one of %v", o.iscsiadm, initiator.Reaches)
	}
	if initiator.Reach(o.iscsiadm) == initiator.ReachChroot && o.hostRoot == "" {
		return fmt.Errorf("--iscsiadm=%s: needs --host-root", o.iscsiadm)
	}
	if o.replacement < time.Second || o.replacement%time.Second != 0 {
		return fmt.Errorf("--replacement-timeout %s: must be whole seconds, at least 1s", o.replacement)
	}
	if o.maxConcurrent < 1 {
		return fmt.Errorf("--max-concurrent-stages %d: must be at least 1", o.maxConcurrent)
	}
	if o.reconcile <= 0 {
		return fmt.Errorf("--reconcile-interval %s: must be positive", o.reconcile)
	}
	return nil
}

// minLease leaves a busy API server time to answer a renewal, and is what a
// Lease, which counts whole seconds, can say.
const minLease = 3 * time.Second

// complete gives the names that were not given.
func (o *options) complete() error {
	name, err := os.Hostname()
	if o.mode.node() && o.nodeName == "" {
		if err != nil || name == "" {
			return errors.New("--node-name: not given, and the host has no name")
		}
		o.nodeName = name
	}
	if o.lease.identity == "" {
		o.lease.identity = name + "_" + uuid.NewString()
	}
	return nil
}

// socket is the path of the endpoint.
func (o *options) socket() string { return strings.TrimPrefix(o.endpoint, "unix://") }
