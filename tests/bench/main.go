// Command bench measures san-array: its speed against tgtd's in one run, both
// on the same medium and taking turns, its memory, and how true its quality of
// service is. It prints tables and a verdict for each bar, and writes all of it
// as JSON.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/san-csi/san-csi/tests/bench/fio"
)

func main() {
	o := options{}
	flag.StringVar(&o.binary, "array", "bin/san-array", "the san-array to measure")
	flag.StringVar(&o.out, "out", "bin/bench", "the directory that gets bench.json and tables.md")
	flag.StringVar(&o.medium, "medium", "/dev/shm", "the directory whose file system is the medium of both targets")
	flag.BoolVar(&o.quick, "quick", false, "one short round, to try things; its figures mean little")
	flag.StringVar(&o.parts, "parts", "speed,logins,idle,ceilings,floor,burst,change", "what to measure")
	flag.StringVar(&o.cells, "cells", "", "a regular expression: the cells of the speed part to measure (default all)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the command's flags.
type options struct {
	binary, out, medium string
	quick               bool
	parts, cells        string
}

// bench is one run.
type bench struct {
	options
	programs *programs
	fio      *fio.Program
	scratch  string        // a directory on the medium
	rounds   int           // of the comparison
	each     time.Duration // how long a measurement of it takes
	report   *Report
}

// initiatorName is who logs in.
const initiatorName = "iqn.2010-01.io.san-csi:bench"

func run(ctx context.Context, o options) error {
	programs, err := prepare(ctx)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(o.medium, "bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	b := &bench{
		options: o, programs: programs, scratch: scratch, rounds: 5, each: 2 * time.Second,
		fio: &fio.Program{Path: programs.fio, Env: programs.env, Initiator: initiatorName},
	}
	if o.quick {
		b.rounds, b.each = 1, time.Second
	}
	b.report = &Report{Started: time.Now().UTC().Truncate(time.Second), Machine: machine(), Rounds: b.rounds, Seconds: b.each.Seconds()}
	if err := b.measure(ctx); err != nil {
		return err
	}
	b.report.Minutes = time.Since(b.report.Started).Minutes()
	b.report.judge()
	return b.save()
}

// save prints the report and keeps it.
func (b *bench) save() error {
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(b.report, "", " ")
	if err != nil {
		return err
	}
	var tables bytes.Buffer
	b.report.print(io.MultiWriter(&tables, os.Stdout))
	return errors.Join(
		os.WriteFile(filepath.Join(b.out, "bench.json"), data, 0o644),
		os.WriteFile(filepath.Join(b.out, "tables.md"), tables.Bytes(), 0o644),
	)
}

// scratchDir is a new directory on the medium.
func (b *bench) scratchDir(name string) (string, error) {
	return os.MkdirTemp(b.scratch, name+"-*")
}

// say tells a person who waits what goes on.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "==> "+format+"\n", args...)
}
