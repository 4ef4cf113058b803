// Command plot draws the neighbours' story of a benchmark run, an SVG file. It
// is a module of its own so that the product's has no plotting library.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// story is what of the report is drawn; series have an entry a second.
type story struct {
	Capability, Floor, Before, Ceiling, NeighbourFloor int64
	CameAt, SetAt                                      float64 // seconds
	Victim                                             []int
	Neighbours                                         [][]int
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: plot bench.json picture.svg")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(report, picture string) error {
	data, err := os.ReadFile(report)
	if err != nil {
		return err
	}
	var r struct{ Floor *story }
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("%s: %w", report, err)
	}
	if r.Floor == nil {
		return fmt.Errorf("%s has no run of the part \"floor\"", report)
	}
	return r.Floor.draw(picture)
}
