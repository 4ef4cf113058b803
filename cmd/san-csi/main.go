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

func run(ctx context.Context, o *options) error {
	if err := o.validate(); err != nil {
		return err
	}
	s, err := prepare(ctx, o)
	if err != nil {
		return err
	}
	return s.run(ctx)
}
