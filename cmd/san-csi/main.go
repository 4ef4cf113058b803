// Command san-csi is the CSI driver: the controller, the node, or both.
package main

import (
	"context"
	"flag"
	"fmt"
	"os/signal"
	"syscall"

	"k8s.io/klog/v2"
)

// version is set by the linker.
var version = "devel"

func main() {
	klog.InitFlags(nil)
	o := bind(flag.CommandLine)
	flag.Parse()
	if o.version {
		fmt.Println("san-csi", version)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, o); err != nil {
		klog.ErrorS(err, "san-csi ends")
		klog.FlushAndExit(klog.ExitFlushTimeout, 1)
	}
	klog.Flush()
}

// run serves CSI until the context ends: at once, or for as long as this
// process holds the Lease.
func run(ctx context.Context, o *options) error {
	if err := o.validate(); err != nil {
		return err
	}
	s, err := prepare(o)
	if err != nil {
		return err
	}
	health := &health{socket: o.socket()}
	lead := func(ctx context.Context, work func(context.Context) error) error { return work(ctx) }
	if o.leaderElection {
		election, err := newElection(s.client, o.lease)
		if err != nil {
			return err
		}
		health.election, lead = election.Healthy, election.Lead
	}
	if err := health.listen(ctx, o.httpEndpoint); err != nil {
		return err
	}
	return lead(ctx, func(ctx context.Context) error { return s.serve(ctx, health) })
}
