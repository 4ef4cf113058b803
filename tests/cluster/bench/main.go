// Command bench measures provisioning on a test cluster: many claims at once
// until all are Bound and until all are gone again, and pods with a volume each
// until they are Ready. Where the time goes comes from the metrics of the
// sidecars, the controller and the nodes. It ends with 1 where the bar is missed.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/san-csi/san-csi/tests/cluster"
)

// phaseWait bounds each of the measured phases.
const phaseWait = 15 * time.Minute

var errMissed = errors.New("the bar is missed")

type options struct {
	claims, pods int
	out          string // file of the report, Markdown
}

func main() {
	var o options
	flag.IntVar(&o.claims, "claims", 200, "that are made at once")
	flag.IntVar(&o.pods, "pods", 20, "that are made at once, with a claim each")
	flag.StringVar(&o.out, "out", "bin/bench/cluster.md", "where the report goes, as Markdown")
	flag.Parse()
	cluster.Isolate()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := cluster.With(ctx, []string{"node-a", "node-b"}, func(c *cluster.Cluster) error { return run(ctx, c, o) })
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c *cluster.Cluster, o options) error {
	if err := c.InstallDriver(ctx, "controller.enableMetrics=true", "node.enableMetrics=true", "logLevel=2"); err != nil {
		return err
	}
	r, err := measure(ctx, c, o)
	if err != nil {
		return err
	}
	var report bytes.Buffer
	r.print(&report)
	fmt.Print(report.String())
	if err := os.MkdirAll(filepath.Dir(o.out), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(o.out, report.Bytes(), 0o644); err != nil {
		return err
	}
	if !r.met() {
		return errMissed
	}
	return nil
}
