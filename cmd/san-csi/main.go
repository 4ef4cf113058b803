// Command san-csi is the CSI driver: the controller, the node, or both; and, as
// san-csi gc, what lists and deletes volumes that no object names any more.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"k8s.io/klog/v2"
)

// version is set by the linker.
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := command(ctx); err != nil {
		klog.ErrorS(err, "san-csi ends")
		klog.FlushAndExit(klog.ExitFlushTimeout, 1)
	}
	klog.Flush()
}

func command(ctx context.Context) error {
	if len(os.Args) > 1 && os.Args[1] == "gc" {
		return collectGarbage(ctx, os.Args[2:], os.Stdout)
	}
	klog.InitFlags(nil)
	o := bind(flag.CommandLine)
	flag.Parse()
	if o.version {
		fmt.Println("san-csi", version)
		return nil
	}
	return run(ctx, o)
}

// controllerGC is the controller's GOGC where the environment sets none: little of
// its memory lives longer than a call, so some MiB save collections.
const controllerGC = 200

func run(ctx context.Context, o *options) error {
	if err := o.validate(); err != nil {
		return err
	}
	if o.mode.controller() && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(controllerGC)
	}
	s, err := prepare(ctx, o)
	if err != nil {
		return err
	}
	return s.run(ctx)
}
