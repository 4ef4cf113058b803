package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// report is what a run found.
type report struct {
	options
	bind, unbind, start, stop phase
	classed                   int // volumes on the array that name their claim's class
}

// mostShare is the bar: the driver's share of the time from a claim to its
// volume.
const mostShare = 0.10

// share is what of the time of all the things of a phase was the driver's own, by these CSI
// calls: what they took less what the array's calls took. A call that waits for an array call
// that another one makes for both counts as the driver's all the while.
func (p phase) share(methods ...string) (driver, array, rest float64) {
	calls, array := all(p.spent.driver, methods...).seconds, all(p.spent.array).seconds
	driver = max(0, calls-array)
	return driver / p.total(), array / p.total(), (p.total() - driver - array) / p.total()
}

func (r *report) met() bool {
	share, _, _ := r.bind.share("CreateVolume")
	return len(r.bind.took) == r.claims && r.classed == r.claims && share <= mostShare
}

// print writes the tables, as Markdown.
func (r *report) print(w io.Writer) {
	rows := [][]string{{"", "at once", "until all", "median", "slowest"}}
	for _, p := range r.phases() {
		rows = append(rows, []string{p.name, fmt.Sprint(len(p.took)), seconds(p.wall.Seconds()), seconds(p.quantile(.5).Seconds()), seconds(p.quantile(1).Seconds())})
	}
	table(w, rows)
	r.printShares(w)
	r.printCalls(w)
	share, _, _ := r.bind.share("CreateVolume")
	table(w, [][]string{
		{"bar", "", "measured", ""},
		{fmt.Sprintf("the driver's share of the time of %d claims until Bound", r.claims), "at most " + percent(mostShare), percent(share), verdict(share <= mostShare)},
		{"volumes on the array that name their claim's class", fmt.Sprint(r.claims), fmt.Sprint(r.classed), verdict(r.classed == r.claims)},
	})
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "NOT MET"
}

func (r *report) phases() []phase { return []phase{r.bind, r.unbind, r.start, r.stop} }

// printShares tells where the time of the claims went.
func (r *report) printShares(w io.Writer) {
	rows := [][]string{{"time of all", "sum", "Kubernetes and sidecars", "driver", "array"}}
	for _, row := range []struct {
		p      phase
		method string
	}{{r.bind, "CreateVolume"}, {r.unbind, "DeleteVolume"}} {
		driver, array, rest := row.p.share(row.method)
		rows = append(rows, []string{row.p.name, seconds(row.p.total()), percent(rest), percent(driver), percent(array)})
	}
	table(w, rows)
}

// printCalls tells of each kind of call of each phase.
func (r *report) printCalls(w io.Writer) {
	rows := [][]string{{"calls", "of", "seen by", "number", "mean", "of the time of all"}}
	for _, p := range r.phases() {
		for _, by := range []struct {
			name  string
			calls map[string]spent
		}{{"the sidecars", p.spent.sidecar}, {"the driver", p.spent.driver}, {"the driver, of the array", p.spent.array}} {
			for _, method := range slices.Sorted(maps.Keys(by.calls)) {
				s := by.calls[method]
				if s.seconds/p.total() < 0.0005 {
					continue // probes, capabilities
				}
				rows = append(rows, []string{method, p.name, by.name, fmt.Sprintf("%.0f", s.calls), milliseconds(s.seconds / s.calls), percent(s.seconds / p.total())})
			}
		}
	}
	table(w, rows)
}

// quantile of how long each took.
func (p phase) quantile(q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(p.took))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func seconds(s float64) string      { return fmt.Sprintf("%.1f s", s) }
func milliseconds(s float64) string { return fmt.Sprintf("%.1f ms", s*1000) }
func percent(f float64) string      { return fmt.Sprintf("%.1f %%", f*100) }

func table(w io.Writer, rows [][]string) {
	for i, row := range rows {
		fmt.Fprintln(w, "| "+strings.Join(row, " | ")+" |")
		if i == 0 {
			fmt.Fprintln(w, strings.Repeat("|---", len(row))+"|")
		}
	}
	fmt.Fprintln(w)
}
