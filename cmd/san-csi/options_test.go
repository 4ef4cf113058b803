package main

import (
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func flags(t *testing.T, args ...string) *options {
	t.Helper()
	f := flag.NewFlagSet("san-csi", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	o := bind(f)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOptions(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string // in the error; "" = accepted
	}{
		"defaults":                     {nil, ""},
		"mode":                         {[]string{"--mode=both"}, `--mode "both"`},
		"endpoint":                     {[]string{"--endpoint=tcp://127.0.0.1:1"}, "--endpoint"},
		"cluster of 64 bytes":          {[]string{"--cluster=" + strings.Repeat("c", 64)}, "at most 63"},
		"sweep":                        {[]string{"--sweep-interval=0s"}, "--sweep-interval"},
		"resync":                       {[]string{"--resync-interval=-1s"}, "--resync-interval"},
		"topology":                     {[]string{"--mode=node", "--topology=topology.san-csi.io/zone=a,rack=2"}, ""},
		"topology of a Node":           {[]string{"--mode=node", "--node-name=n", "--topology-keys=zone"}, ""},
		"topology of no Node":          {[]string{"--mode=node", "--topology-keys=zone"}, "--node-name"},
		"no calls to Kubernetes":       {[]string{"--kube-api-qps=0"}, "--kube-api-qps 0"},
		"none of them at once":         {[]string{"--kube-api-burst=0"}, "--kube-api-burst 0"},
		"volumes":                      {[]string{"--max-volumes=-1"}, "--max-volumes -1"},
		"half a second":                {[]string{"--replacement-timeout=1500ms"}, "whole seconds"},
		"iscsiadm":                     {[]string{"--iscsiadm=ssh"}, `--iscsiadm "ssh"`},
		"iscsiadm by chroot":           {[]string{"--iscsiadm=chroot", "--host-root=/host"}, ""},
		"iscsiadm by chroot nowhere":   {[]string{"--iscsiadm=chroot"}, "--host-root"},
		"election":                     {[]string{"--mode=controller", "--leader-election", "--lease-namespace=s"}, ""},
		"election of a node":           {[]string{"--mode=node", "--leader-election", "--lease-namespace=s"}, "only controllers"},
		"election of both":             {[]string{"--leader-election", "--lease-namespace=s"}, "only controllers"},
		"election without a namespace": {[]string{"--mode=controller", "--leader-election"}, "--lease-namespace"},
		"election without a name":      {[]string{"--mode=controller", "--leader-election", "--lease-namespace=s", "--lease-name="}, "--lease-name"},
		"a short lease":                {[]string{"--mode=controller", "--leader-election", "--lease-namespace=s", "--lease-duration=2s"}, "at least 3s"},
		"taint":                        {[]string{"--mode=node", "--node-name=n", "--startup-taint=a/b"}, ""},
		"taint without the node":       {[]string{"--mode=node", "--startup-taint=a/b"}, "--node-name"},
		"taint of a controller":        {[]string{"--mode=controller", "--node-name=n", "--startup-taint=a/b"}, "--mode=node"},
	} {
		err := flags(t, c.args...).validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestLeaseIdentity: two processes of one host must not take each other's Lease
// for their own.
func TestLeaseIdentity(t *testing.T) {
	a, b, named := flags(t), flags(t), flags(t, "--lease-identity=pod-1")
	for _, o := range []*options{a, b, named} {
		if err := o.validate(); err != nil {
			t.Fatal(err)
		}
	}
	if a.lease.identity == b.lease.identity {
		t.Errorf("two processes are both %q", a.lease.identity)
	}
	if _, random, ok := strings.Cut(a.lease.identity, "_"); !ok || uuid.Validate(random) != nil {
		t.Errorf("identity %q: want the host's name and a UUID", a.lease.identity)
	}
	if named.lease.identity != "pod-1" {
		t.Errorf("identity %q, want the given one", named.lease.identity)
	}
}
