package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Runner runs specs on a cluster.
type Runner struct {
	// Command is Kubernetes' test program with further arguments; it is to run in
	// the root of the repository.
	Command func(ctx context.Context, args ...string) (*exec.Cmd, error)
	Results *Results
	// Dir gets the logs of specs that failed, and the reports while they are made.
	Dir string
	// AtOnce is how many specs run beside each other.
	AtOnce int
	// SpecLimit bounds a spec.
	SpecLimit time.Duration
	// Log gets a line for each spec.
	Log io.Writer

	batches atomic.Int64
}

// abandon is how much later than told to a test process may end: it tidies up
// meanwhile.
const abandon = 3 * time.Minute

// driverFile is what the driver can do, from the root.
const driverFile = "tests/e2e/driver/driver.yaml"

// List lists the specs that are about the driver.
func (r *Runner) List(ctx context.Context) ([]string, error) {
	report := filepath.Join(r.Dir, "list.json")
	defer os.Remove(report)
	cmd, err := r.Command(ctx, append(common(report), "-ginkgo.dry-run", "-ginkgo.focus=^Kubernetes e2e suite "+regexp.QuoteMeta(prefix))...)
	if err != nil {
		return nil, err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("list the specs: %w: %s", err, out)
	}
	results, _, err := readReportFile(report)
	if err != nil {
		return nil, err
	}
	specs := make([]string, 0, len(results))
	for _, result := range results {
		specs = append(specs, result.Spec)
	}
	slices.Sort(specs)
	return slices.Compact(specs), nil
}

func common(report string) []string {
	return []string{"-repo-root=.", "-storage.testdriver=" + driverFile, "-ginkgo.json-report=" + report, "-ginkgo.no-color"}
}

// Run runs those of the specs that have no result yet, or failed, until the
// context ends: then what is on its way is ended, and has no result.
func (r *Runner) Run(ctx context.Context, specs []string) error {
	p := planFor(specs, r.Results)
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(r.AtOnce)
	for _, batch := range p.parallel {
		group.Go(func() error { return r.run(within, batch) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, batch := range p.serial {
		if err := r.run(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// run runs a batch in a process of its own, and keeps what comes of it.
func (r *Runner) run(ctx context.Context, specs []string) error {
	if ctx.Err() != nil {
		return nil
	}
	name := filepath.Join(r.Dir, fmt.Sprintf("%s-%d", time.Now().Format("150405"), r.batches.Add(1)))
	report, log := name+".json", name+".log"
	defer os.Remove(report)
	start := time.Now()
	ended := r.process(ctx, specs, report, log)
	if ctx.Err() != nil {
		return os.Remove(log)
	}
	results, err := r.outcome(specs, report, ended, time.Since(start))
	if err != nil {
		return fmt.Errorf("%w; see %s", err, log)
	}
	failed := false
	for _, result := range results {
		failed = failed || result.State == Failed
		if err := r.Results.Add(result); err != nil {
			return err
		}
		r.tell(result, log)
	}
	if failed {
		return nil
	}
	return os.Remove(log)
}

// process runs Kubernetes' test program for the specs. Its exit status says no
// more than the report.
func (r *Runner) process(ctx context.Context, specs []string, report, log string) error {
	out, err := os.Create(log)
	if err != nil {
		return err
	}
	defer out.Close()
	ctx, cancel := context.WithTimeout(ctx, r.SpecLimit+abandon)
	defer cancel()
	args := append(common(report), "-ginkgo.v", "-ginkgo.timeout="+r.SpecLimit.String())
	for _, spec := range specs {
		args = append(args, "-ginkgo.focus="+regexp.QuoteMeta(prefix+spec)+"$")
	}
	cmd, err := r.Command(ctx, args...)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = 10 * time.Second
	return cmd.Run()
}

// outcome is the results of a batch's specs. Where there is no report the
// process was killed, since it hung, or died.
func (r *Runner) outcome(specs []string, report string, ended error, took time.Duration) ([]Result, error) {
	results, setup, err := readReportFile(report)
	if errors.Is(err, os.ErrNotExist) && ended != nil && len(specs) == 1 {
		return []Result{{Spec: specs[0], State: Failed, Seconds: took.Seconds(), Why: "no report: " + ended.Error(), Ended: time.Now()}}, nil
	}
	if err != nil {
		return nil, errors.Join(err, ended)
	}
	if setup != nil {
		return nil, setup
	}
	of := map[string]Result{}
	for _, result := range results {
		of[result.Spec] = result
	}
	results = nil
	for _, spec := range specs {
		result, ok := of[spec]
		if !ok {
			result = Result{Spec: spec, State: Failed, Seconds: took.Seconds(), Why: "not in the report", Ended: time.Now()}
		}
		results = append(results, result)
	}
	return results, nil
}

func (r *Runner) tell(result Result, log string) {
	line := fmt.Sprintf("%s %-7s %4s s  %s", time.Now().Format(time.TimeOnly), result.State, strconv.Itoa(int(result.Seconds+0.5)), result.Spec)
	if result.Why != "" {
		line += "\n" + "    " + result.Why
	}
	if result.State == Failed {
		line += "\n    see " + log
	}
	fmt.Fprintln(r.Log, line)
}

// Verdict is nil if each of the specs has passed, was skipped by a capability
// that is known to be missing, or is left out for one.
func (r *Results) Verdict(specs []string) error {
	var errs []error
	for _, spec := range specs {
		result, known := r.Of(spec)
		switch {
		case leftOut(spec) != "":
		case !known:
			errs = append(errs, fmt.Errorf("not run: %s", spec))
		case result.State == Failed:
			errs = append(errs, fmt.Errorf("failed: %s: %s", spec, result.Why))
		case result.State == Skipped && explain(result.Why) == "":
			errs = append(errs, fmt.Errorf("no missing capability explains the skip of %s: %s", spec, result.Why))
		}
	}
	return errors.Join(errs...)
}
