// Command up starts a test cluster with the driver installed and a first volume
// in use, leaves it up until it is told to end, and then takes it down.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/san-csi/san-csi/tests/cluster"
)

// closeWait bounds the taking down, which an end asked for must not cut short.
const closeWait = 2 * time.Minute

func main() {
	workers := flag.String("workers", "node-a", "names of the workers, separated by commas")
	flag.Parse()
	cluster.Isolate()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, strings.Split(*workers, ","))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, workers []string) (err error) {
	start := time.Now()
	c, err := cluster.Open(ctx, workers...)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
		defer cancel()
		err = errors.Join(err, c.Close(ctx))
	}()
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
