// Command controller measures what the driver's controller costs: how long a
// CreateVolume takes on an empty array and on one with 4,000 volumes, how many
// calls each operation makes of the array, and the processor time and memory
// beside those of a bare client that makes the same calls. All of it in one run,
// in turns. It ends with 1 where a bar is missed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-controller:", err)
		os.Exit(1)
	}
}

var errMissed = errors.New("a bar is missed")

func run(ctx context.Context) error {
	if len(os.Args) > 1 && os.Args[1] == bareCommand {
		return serveBare(ctx, os.Stdin, os.Stdout)
	}
	o := options{}
	flag.StringVar(&o.bin, "bin", "bin", "directory of the built san-csi and san-array")
	flag.IntVar(&o.volumes, "volumes", 4000, "that the full array may have, Element's bound; those that the run itself makes are of them")
	flag.IntVar(&o.pairs, "pairs", 200, "creates on each array that are timed")
	flag.IntVar(&o.rounds, "rounds", 20, "of processor time, each of driver and bare client")
	flag.IntVar(&o.creates, "creates", 200, "in such a round")
	flag.Parse()
	o.volumes -= room
	met, err := measure(ctx, o)
	if err == nil && !met {
		err = errMissed
	}
	return err
}

type options struct {
	bin             string
	volumes, pairs  int
	rounds, creates int
}

// measure runs all parts and prints what they found.
func measure(ctx context.Context, o options) (met bool, err error) {
	dir, err := os.MkdirTemp("", "san-csi-bench-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	b, err := open(ctx, o, dir)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	r := report{options: o}
	for _, part := range []struct {
		name string
		run  func(context.Context, *bench) error
	}{{"time a create", r.timeCreates}, {"array calls", r.countCalls}, {"processor time", r.compareCPU}, {"memory", r.readMemory}} {
		fmt.Fprintln(os.Stderr, "==>", part.name)
		if err := part.run(ctx, b); err != nil {
			return false, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return r.print(os.Stdout), nil
}
