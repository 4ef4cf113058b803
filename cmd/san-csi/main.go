// Command san-csi is the CSI driver: the controller, the node, or both.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/driver"
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

// run serves CSI until the context ends. What the driver needs is checked
// before its socket opens.
func run(ctx context.Context, o *options) error {
	if err := o.validate(); err != nil {
		return err
	}
	serving := driver.Options{Version: version}
	if o.mode.controller() {
		flows, err := controllerFlows(o)
		if err != nil {
			return err
		}
		serving.Controller = driver.NewController(flows, flows)
		go flows.Sweep(ctx, o.sweepInterval)
	}
	if o.mode.node() {
		node, err := nodeService(o)
		if err != nil {
			return err
		}
		serving.Node = node
	}
	d, err := driver.New(serving)
	if err != nil {
		return err
	}
	l, err := driver.Listen(o.socket())
	if err != nil {
		return err
	}
	klog.InfoS("serving CSI", "version", version, "mode", o.mode, "endpoint", o.endpoint, "pid", os.Getpid())
	return d.Serve(ctx, l)
}
