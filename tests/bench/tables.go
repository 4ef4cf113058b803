package main

import (
	"fmt"
	"io"
	"strings"
)

// print writes the tables, as Markdown.
func (r *Report) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s; %d cores, Linux %s, %s; load %s at the begin. %d rounds of %.0f s, %.0f minutes.\n",
		r.Machine.CPU, r.Machine.Cores, r.Machine.Kernel, r.Machine.Go, r.Machine.Load, r.Rounds, r.Seconds, r.Minutes)
	for _, table := range []func() [][]string{r.speedTable, r.otherTable, r.ceilingTable, r.storyTable, r.barTable} {
		if rows := table(); len(rows) > 1 {
			writeTable(w, rows)
		}
	}
}

func (r *Report) speedTable() [][]string {
	rows := [][]string{{"load", "san-array", "tgtd", "ratio", "CPU µs/IO", "tgtd", "ratio", "p99 µs", "tgtd"}}
	for _, c := range r.Cells {
		rows = append(rows, []string{
			c.String(), c.amount(c.Array), c.amount(c.Peer), fmt.Sprintf("%.2f", c.Speed()),
			fmt.Sprintf("%.1f", median(c.Array.CPU)), fmt.Sprintf("%.1f", median(c.Peer.CPU)), fmt.Sprintf("%.2f", c.CPU()),
			fmt.Sprintf("%.0f", median(c.Array.P99)), fmt.Sprintf("%.0f", median(c.Peer.P99)),
		})
	}
	return rows
}

// amount is the median in the unit that is usual for the block size.
func (c Cell) amount(s Samples) string {
	iops := median(s.IOPS)
	if c.Block <= 4<<10 {
		return fmt.Sprintf("%.1fk IOPS", iops/1000)
	}
	return fmt.Sprintf("%.0f MiB/s", iops*float64(c.Block)/(1<<20))
}

func (r *Report) otherTable() [][]string {
	rows := [][]string{{"", "san-array", "tgtd"}}
	if l := r.Logins; l != nil {
		rows = append(rows, []string{"logins a second", fmt.Sprintf("%.0f", median(l.Array)), fmt.Sprintf("%.0f", median(l.Peer))})
	}
	var array, peer int64
	for _, c := range r.Cells {
		array, peer = max(array, c.Array.RSS), max(peer, c.Peer.RSS)
	}
	if array > 0 {
		rows = append(rows, []string{fmt.Sprintf("highest RSS, up to %d LUNs busy", maxLUNs), mib(array), mib(peer)})
	}
	if i := r.Idle; i != nil {
		rows = append(rows, []string{fmt.Sprintf("RSS, %d idle volumes and sessions", i.Sessions), mib(i.RSS), ""})
	}
	return rows
}

func (r *Report) ceilingTable() [][]string {
	rows := [][]string{{"maxIOPS", "queue depth", "IOPS over 10 s", "busiest second", "without a ceiling", "longest stall"}}
	for _, c := range r.Ceilings {
		unlimited := fmt.Sprintf("%.0f", c.Unlimited)
		if !c.binding() {
			unlimited += " (too near)"
		}
		rows = append(rows, []string{fmt.Sprint(c.Limit), fmt.Sprint(c.Depth), fmt.Sprintf("%.1f", c.IOPS), fmt.Sprint(c.Busiest), unlimited, fmt.Sprintf("%d ms", c.Stall)})
	}
	return rows
}

func (r *Report) storyTable() [][]string {
	rows := [][]string{{"quality of service", "IOPS"}}
	if f := r.Floor; f != nil {
		rows = append(rows,
			[]string{fmt.Sprintf("alone, maxIOPS %d", f.Ceiling), fmt.Sprintf("%.0f", f.Alone)},
			[]string{fmt.Sprintf("with eight greedy neighbours, minIOPS %d", f.Before), fmt.Sprintf("%.0f", f.Crowded)},
			[]string{fmt.Sprintf("minIOPS %d set, worst 10 s", f.Floor), fmt.Sprintf("%.0f", f.Worst10)})
	}
	if b := r.Burst; b != nil {
		rows = append(rows,
			[]string{fmt.Sprintf("burst of %d after %.0f s idle, for %d s", b.Burst, b.Idle, b.Lasted), fmt.Sprintf("%.0f", b.During)},
			[]string{fmt.Sprintf("then, maxIOPS %d", b.Max), fmt.Sprintf("%.0f", b.After)})
	}
	if c := r.Change; c != nil {
		for i, limit := range c.Limits {
			rows = append(rows, []string{fmt.Sprintf("maxIOPS %d set under load", limit), fmt.Sprintf("%.0f", c.IOPS[i])})
		}
	}
	return rows
}

func (r *Report) barTable() [][]string {
	rows := [][]string{{"bar", "wanted", "measured", ""}}
	for _, b := range r.Bars {
		verdict := "met"
		if !b.Met {
			verdict = "NOT MET"
		}
		rows = append(rows, []string{b.What, b.Want, b.Got, verdict})
	}
	return rows
}

// writeTable writes rows, the first of which is the head, with columns aligned.
func writeTable(w io.Writer, rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], len([]rune(cell)), 3)
		}
	}
	fmt.Fprintln(w)
	for n, row := range rows {
		for i, cell := range row {
			fmt.Fprintf(w, "| %-*s ", width[i], cell)
		}
		fmt.Fprintln(w, "|")
		if n > 0 {
			continue
		}
		for i := range row {
			fmt.Fprint(w, "|", strings.Repeat("-", width[i]+2))
		}
		fmt.Fprintln(w, "|")
	}
}
