// Command run opens a test cluster with the driver on it and runs Kubernetes'
// external storage tests there: those without a result yet, or that failed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/san-csi/san-csi/tests/cluster"
	"github.com/san-csi/san-csi/tests/e2e"
)

// zone is the label of the nodes that reach the array.
const zone = "topology.san-csi.io/zone"

type options struct {
	dir, workers, focus      string
	limit, specLimit         time.Duration
	atOnce                   int
	afresh, smoke, tableOnly bool
}

func main() {
	var o options
	flag.StringVar(&o.dir, "dir", "bin/e2e", "directory of the results and of the logs of specs that failed")
	flag.StringVar(&o.workers, "workers", "node-a,node-b", "names of the workers, separated by commas")
	flag.StringVar(&o.focus, "focus", "", "regular expression of the specs to run")
	flag.DurationVar(&o.limit, "limit", 0, "time to run specs for; what has no result then is for the next run (0: no limit)")
	flag.DurationVar(&o.specLimit, "spec-limit", 15*time.Minute, "time that a spec may take")
	flag.IntVar(&o.atOnce, "at-once", 2, "specs that run beside each other")
	flag.BoolVar(&o.afresh, "afresh", false, "forget earlier results")
	flag.BoolVar(&o.smoke, "smoke", false, "only the short list, afresh, with results of its own")
	flag.BoolVar(&o.tableOnly, "table", false, "run nothing, write docs/e2e.md from the results")
	flag.Parse()
	if o.smoke {
		o.dir, o.afresh = filepath.Join(o.dir, "smoke"), true
	}
	if o.tableOnly {
		exit(table(o))
	}
	cluster.IsolateForSuite()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, o)
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, o options) error {
	if o.afresh {
		if err := os.RemoveAll(o.dir); err != nil {
			return err
		}
	}
	results, err := e2e.OpenResults(resultsFile(o))
	if err != nil {
		return err
	}
	workers := strings.Split(o.workers, ",")
	return cluster.With(ctx, workers, func(c *cluster.Cluster) error {
		if err := install(ctx, c, workers); err != nil {
			return err
		}
		return test(ctx, c, o, results)
	})
}

// test runs the specs and keeps their results.
func test(ctx context.Context, c *cluster.Cluster, o options, results *e2e.Results) error {
	runner := &e2e.Runner{
		Command: c.SuiteCommand, Results: results, Dir: o.dir,
		AtOnce: o.atOnce, SpecLimit: o.specLimit, Log: os.Stdout,
	}
	specs, err := selected(ctx, runner, o)
	if err != nil {
		return err
	}
	limited, cancel := ctx, context.CancelFunc(func() {})
	if o.limit > 0 {
		limited, cancel = context.WithTimeout(ctx, o.limit)
	}
	defer cancel()
	start := time.Now()
	if err := runner.Run(limited, specs); err != nil {
		return err
	}
	fmt.Printf("%s after %.0f minutes\n", e2e.Summary(specs, results), time.Since(start).Minutes())
	return results.Verdict(specs)
}

// install installs the driver, with an array that both workers reach by their zone.
func install(ctx context.Context, c *cluster.Cluster, workers []string) error {
	if _, err := c.Kubectl(ctx, append(append([]string{"label", "node"}, workers...), zone+"=east")...); err != nil {
		return err
	}
	if _, err := c.Kubectl(ctx, "apply", "--filename", "tests/e2e/driver/admission.yaml"); err != nil {
		return err
	}
	return c.InstallDriver(ctx,
		`arrays[0].topology[0].topology\.san-csi\.io/zone=east`,
		"node.topologyKeys[0]="+zone,
		// The suite asks for the capacity of a class that binds at once.
		"sidecars.provisioner.additionalArgs[0]=--capacity-for-immediate-binding",
		// The suite fills a node to this.
		"node.volumeAttachLimit=12",
	)
}

// selected are the specs to run.
func selected(ctx context.Context, runner *e2e.Runner, o options) ([]string, error) {
	focus, err := regexp.Compile(o.focus)
	if err != nil {
		return nil, fmt.Errorf("focus: %w", err)
	}
	all, err := runner.List(ctx)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(listFile(o), []byte(strings.Join(all, "\n")), 0o644); err != nil {
		return nil, err
	}
	specs := all
	if o.smoke {
		specs = e2e.Smoke()
		for _, spec := range specs {
			if !slices.Contains(all, spec) {
				return nil, fmt.Errorf("the short list has %q, which is no spec", spec)
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(specs), func(spec string) bool { return !focus.MatchString(spec) }), nil
}

// table writes the results into the docs.
func table(o options) error {
	results, err := e2e.OpenResults(resultsFile(o))
	if err != nil {
		return err
	}
	list, err := os.ReadFile(listFile(o))
	if err != nil {
		return fmt.Errorf("nothing was run yet: %w", err)
	}
	page := e2e.Page(strings.Split(string(list), "\n"), results)
	return os.WriteFile("docs/e2e.md", []byte(page), 0o644)
}

func resultsFile(o options) string { return filepath.Join(o.dir, "results.jsonl") }
func listFile(o options) string    { return filepath.Join(o.dir, "specs.txt") }
