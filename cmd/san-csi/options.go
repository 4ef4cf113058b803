package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
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

	nodeName      string
	initiatorName string
	records       string
	hostRoot      string
	maxVolumes    int
}

func bind(f *flag.FlagSet) *options {
	o := &options{}
	f.StringVar((*string)(&o.mode), "mode", string(modeAll), "what to serve: controller, node or all")
	f.StringVar(&o.endpoint, "endpoint", "unix:///csi/csi.sock", "the CSI socket")
	f.BoolVar(&o.version, "version", false, "print the version and end")

	f.StringVar(&o.arrays, "arrays", "/etc/san-csi/arrays.yaml", "the arrays' file (controller)")
	f.StringVar(&o.cluster, "cluster", "default", "this Kubernetes cluster's name on the arrays: volumes of other names are left alone (controller)")
	f.DurationVar(&o.sweepInterval, "sweep-interval", time.Minute, "how often leftovers of calls that were cut off are looked for (controller)")

	f.StringVar(&o.nodeName, "node-name", "", "this node's name, by default the host's (node)")
	f.StringVar(&o.initiatorName, "initiator-name-file", "/etc/iscsi/initiatorname.iscsi", "where iscsid reads the initiator's name (node)")
	f.StringVar(&o.records, "records-dir", "/var/lib/san-csi/records", "stage records: on the host's disk, kept over restarts (node)")
	f.StringVar(&o.hostRoot, "host-root", "", "run the host's iscsiadm by chroot into this directory, by default directly (node)")
	f.IntVar(&o.maxVolumes, "max-volumes", 0, "how many volumes a node takes, the same for controller and nodes; 0 = the array's own bound")
	return o
}

func (o *options) validate() error {
	if !o.mode.controller() && !o.mode.node() {
		return fmt.Errorf("--mode %q: must be %s, %s or %s", o.mode, modeController, modeNode, modeAll)
	}
	if path, ok := strings.CutPrefix(o.endpoint, "unix://"); !ok || !filepath.IsAbs(path) {
		return fmt.Errorf("--endpoint %q: must be unix:///path/to/csi.sock", o.endpoint)
	}
	if o.mode.controller() && (o.cluster == "" || len(o.cluster) > 63) {
		return fmt.Errorf("--cluster %q: must be 1 to 63 bytes", o.cluster)
	}
	if o.mode.controller() && o.sweepInterval <= 0 {
		return fmt.Errorf("--sweep-interval %s: must be positive", o.sweepInterval)
	}
	if o.maxVolumes < 0 {
		return fmt.Errorf("--max-volumes %d: must not be negative", o.maxVolumes)
	}
	if !o.mode.node() || o.nodeName != "" {
		return nil
	}
	name, err := os.Hostname()
	if err != nil || name == "" {
		return errors.New("--node-name: not given, and the host has no name")
	}
	o.nodeName = name
	return nil
}

// socket is the path of the endpoint.
func (o *options) socket() string { return strings.TrimPrefix(o.endpoint, "unix://") }
