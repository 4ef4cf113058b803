package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/softarray"
)

// options are the command's flags.
type options struct {
	dataDir         string
	apiAddress      string
	iscsiAddresses  addresses
	redirect        bool
	advertise       string
	credentialsFile string
	tlsCert, tlsKey string
	tlsSAN          addresses
	totalIOPS       int64
	capacity        int64
	strictAdmission bool
	dialect         softarray.Dialect
	faultInjection  bool
	version         bool
}

// addresses is a flag that may be repeated, and take several separated by commas.
type addresses []string

func (a *addresses) String() string { return strings.Join(*a, ",") }

func (a *addresses) Set(value string) error {
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); part == "" {
			return errors.New("an address is empty")
		}
		*a = append(*a, part)
	}
	return nil
}

func parse(args []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("san-array", flag.ContinueOnError)
	f.StringVar(&o.dataDir, "data-dir", "", "directory of metadata and volumes; made if it is not there (required)")
	f.StringVar(&o.apiAddress, "api-address", ":443", "address of the API, host:port")
	f.Var(&o.iscsiAddresses, "iscsi-address", "address of an iSCSI portal, host:port; may be repeated (default :3260)")
	f.BoolVar(&o.redirect, "iscsi-redirect", false, "the first iSCSI address is the cluster's (SVIP): redirect its logins to the others, the nodes' (SIP)")
	f.StringVar(&o.advertise, "advertise", "", "host told to clients as MVIP and SVIP (default: the first iSCSI address's; required where that is a wildcard)")
	f.StringVar(&o.credentialsFile, "credentials-file", "", "YAML file with the API's username and password; made at the first start (default <data-dir>/credentials.yaml)")
	f.StringVar(&o.tlsCert, "tls-cert", "", "PEM file of the API's certificate (default: one signed by the array's own CA, <data-dir>/ca.pem)")
	f.StringVar(&o.tlsKey, "tls-key", "", "PEM file of that certificate's key")
	f.Var(&o.tlsSAN, "tls-san", "further host name or address that the array's own certificate is valid for; may be repeated")
	f.Int64Var(&o.totalIOPS, "total-iops", softarray.DefaultTotalIOPS, "declared capability, IOPS of 4 KiB, which all volumes share, floors first: GetClusterCapacity.maxIOPS")
	f.Int64Var(&o.capacity, "capacity", 0, "room for volumes, bytes (default: all that the file system of --data-dir has)")
	f.BoolVar(&o.strictAdmission, "strict-admission", false, "refuse volumes and changes by which the sum of all minIOPS would exceed --total-iops; Element's own arrays accept them and raise a fault")
	f.Var(&o.dialect, "dialect", "what the API does otherwise than by default where the documentation of Element leaves it open: specific-errors, strict-burst, repeatable-delete, severe-floors, clone-result-source, old-limits; may be repeated")
	f.BoolVar(&o.faultInjection, "fault-injection", false, "serve the API's methods SanArrayInjectFault and its like, for tests of clients")
	f.BoolVar(&o.version, "version", false, "print the version and exit")
	klog.InitFlags(f)
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return o, o.complete()
}

func (o *options) complete() error {
	switch {
	case o.version:
		return nil
	case o.dataDir == "":
		return errors.New("--data-dir is required")
	case (o.tlsCert == "") != (o.tlsKey == ""):
		return errors.New("--tls-cert and --tls-key must be given together")
	case o.totalIOPS < 1:
		return fmt.Errorf("--total-iops %d: must be at least 1", o.totalIOPS)
	case o.capacity < 0:
		return fmt.Errorf("--capacity %d: must not be negative", o.capacity)
	}
	if len(o.iscsiAddresses) == 0 {
		o.iscsiAddresses = addresses{":3260"}
	}
	if o.redirect && len(o.iscsiAddresses) < 2 {
		return fmt.Errorf("--iscsi-redirect needs the cluster's and a node's --iscsi-address, there are %d", len(o.iscsiAddresses))
	}
	if o.advertise == "" {
		if err := checkHost(o.iscsiAddresses[0]); err != nil {
			return err
		}
	}
	if o.credentialsFile == "" {
		o.credentialsFile = filepath.Join(o.dataDir, "credentials.yaml")
	}
	return nil
}

// checkHost refuses an address that clients could not be told.
func checkHost(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--iscsi-address: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return fmt.Errorf("--iscsi-address %s is a wildcard: --advertise must name the host that clients reach", address)
	}
	return nil
}
