//go:build observe

package observe

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// legends finds the labels in a legend.
var legends = regexp.MustCompile(`\{\{(\w+)\}\}`)

// pictured are the panels that tests/bench/plot/panels draws for the docs.
var pictured = []string{"Floors promised", "IOPS", "Throttle", "Refused for want of room", "Sessions in recovery, or none", "Paths missing", "CSI calls: 99th percentile", "Circuit breaker: calls held back", "Up, overrun, leaving, faults"}

// drawing is a panel with its data, seconds since the beginning.
type drawing struct {
	Title, Unit string
	Lines       []drawnLine
}

type drawnLine struct {
	Name   string
	Points [][2]float64
}

// testPicture writes the panels' data where make test-observability draws it from.
func testPicture(t *testing.T, s *site) {
	all, err := panels()
	must(t, err)
	var drawings []drawing
	for _, title := range pictured {
		i := slices.IndexFunc(all, func(p panel) bool { return p.Title == title })
		if i < 0 {
			t.Fatalf("the dashboard has no panel %q", title)
		}
		drawings = append(drawings, s.drawing(t, all[i]))
	}
	text, err := json.Marshal(drawings)
	must(t, err)
	dir := filepath.Join(root, "bin", "observe")
	must(t, os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "panels.json"), text, 0o644))
}

func (s *site) drawing(t *testing.T, p panel) drawing {
	d := drawing{Title: p.Title, Unit: p.FieldConfig.Defaults.Unit}
	for _, q := range p.Targets {
		lines, err := s.over(t.Context(), filled(q.Expr))
		must(t, err)
		for _, l := range lines {
			name := legends.ReplaceAllStringFunc(q.LegendFormat, func(label string) string { return l.Metric[label[2:len(label)-2]] })
			d.Lines = append(d.Lines, drawnLine{Name: name, Points: s.points(l)})
		}
	}
	return d
}

func (s *site) points(l line) (all [][2]float64) {
	for _, v := range l.Values {
		if number(v) {
			all = append(all, [2]float64{v.At - float64(s.began.Unix()), v.Value})
		}
	}
	return all
}
