// Command up starts a test cluster with the driver installed and a first volume
// in use, leaves it up until it is told to end, and then takes it down.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/san-csi/san-csi/tests/cluster"
)

func main() {
	workers := flag.String("workers", "node-a", "names of the workers, separated by commas")
	flag.Parse()
	cluster.Isolate()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	start := time.Now()
	err := cluster.With(ctx, strings.Split(*workers, ","), func(c *cluster.Cluster) error { return stayUp(ctx, c, start) })
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func stayUp(ctx context.Context, c *cluster.Cluster, start time.Time) error {
	if err := c.InstallDriver(ctx); err != nil {
		return err
	}
	seen, err := c.RunExample(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%sthe cluster is up after %.0f s; Ctrl-C ends it\n  export KUBECONFIG=%s\n", seen, time.Since(start).Seconds(), c.Kubeconfig)
	<-ctx.Done()
	return nil
}
