// Command panels draws panels of a dashboard, with the data of a Prometheus,
// side by side as an SVG file.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// panel is a drawing: lines of points (seconds, value).
type panel struct {
	Title, Unit string
	Lines       []line
}

type line struct {
	Name   string
	Points [][2]float64
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: panels panels.json picture.svg")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "panels:", err)
		os.Exit(1)
	}
}

func run(data, picture string) error {
	raw, err := os.ReadFile(data)
	if err != nil {
		return err
	}
	var all []panel
	if err := json.Unmarshal(raw, &all); err != nil {
		return fmt.Errorf("%s: %w", data, err)
	}
	if len(all) == 0 {
		return fmt.Errorf("%s has no panel", data)
	}
	return draw(all, picture)
}
