package main

import (
	"flag"
	"fmt"
	"io"

	"github.com/san-csi/san-csi/pkg/softarray"
)

// check is "san-array check DIR": it looks a data directory over that no array
// has open, changes nothing, and fails where something is wrong.
func check(args []string, out io.Writer) error {
	f := flag.NewFlagSet("san-array check DIR", flag.ContinueOnError)
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() != 1 {
		return fmt.Errorf("check takes one argument, the data directory; %d are given", f.NArg())
	}
	report, err := softarray.Check(f.Arg(0))
	if err != nil {
		return err
	}
	for _, p := range report.Problems {
		fmt.Fprintln(out, "problem:", p)
	}
	for _, l := range report.Leftovers {
		fmt.Fprintln(out, "left by a crash, goes at the next start:", l)
	}
	_, err = fmt.Fprintf(out, "volumes %d, snapshots %d, group snapshots %d, layers %d (longest chain %d)\n"+
		"provisioned %d bytes, allocated %d, of these frozen %d; mapped blocks of 4 KiB in layers %d\n",
		report.Volumes, report.Snapshots, report.GroupSnapshots, report.Layers, report.LongestChain,
		report.ProvisionedBytes, report.AllocatedBytes, report.FrozenBytes, report.MappedBlocks)
	if err == nil && len(report.Problems) > 0 {
		err = fmt.Errorf("%s: %d problems", f.Arg(0), len(report.Problems))
	}
	return err
}
