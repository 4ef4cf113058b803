package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/san-csi/san-csi/tests/bench/fio"
)

// Bar is a verdict.
type Bar struct {
	What, Want, Got string
	Met             bool
}

func (r *Report) bar(what, want string, met bool, got string, args ...any) {
	r.Bars = append(r.Bars, Bar{what, want, fmt.Sprintf(got, args...), met})
}

// judge holds what was measured to the bars.
func (r *Report) judge() {
	if len(r.Cells) > 0 {
		r.judgeSpeed()
		r.judgeCPU()
		r.judgeMemory()
	}
	if i := r.Idle; i != nil {
		r.bar(fmt.Sprintf("RSS with %d idle volumes and sessions", i.Sessions), "at most 256 MiB", i.RSS <= 256<<20, "%s", mib(i.RSS))
	}
	if len(r.Ceilings) > 0 {
		r.judgeCeilings()
	}
	if r.Floor != nil {
		r.judgeFloor()
	}
	if b := r.Burst; b != nil {
		met := b.After > 0 && math.Abs(b.After/float64(b.Max)-1) <= 0.02 && float64(b.Busiest) <= 1.1*float64(b.Max)+1
		r.bar("ceiling after a burst", "within 2 %, busiest second at most the limit and 100 ms of it", met,
			"%.0f of %d IOPS, busiest second %d", b.After, b.Max, b.Busiest)
	}
	if c := r.Change; c != nil {
		worst := 0.0
		for i, limit := range c.Limits {
			worst = max(worst, math.Abs(c.IOPS[i]/float64(limit)-1))
		}
		r.bar("ceiling changed under load", "within 2 % from 1 s after the change on", worst <= 0.02, "%.2f %% at worst", 100*worst)
	}
}

func (r *Report) judgeSpeed() {
	var ratios []float64
	worst := r.Cells[0]
	for _, c := range r.Cells {
		ratios = append(ratios, c.Speed())
		if c.Speed() < worst.Speed() {
			worst = c
		}
	}
	mean := geometricMean(ratios)
	r.bar("speed against tgtd, geometric mean of the cells", "at least 1.2", mean >= 1.2, "%.2f", mean)
	r.bar("the slowest cell", "at least 0.9", worst.Speed() >= 0.9, "%.2f (%s)", worst.Speed(), worst)
	for _, c := range r.Cells {
		if c.Kind == fio.RandomRead && (c.Depth == 32 || c.LUNs > 1) {
			r.bar(c.String(), "at least 1.3", c.Speed() >= 1.3, "%.2f", c.Speed())
		}
	}
}

func (r *Report) judgeCPU() {
	var ratios []float64
	for _, c := range r.Cells {
		ratios = append(ratios, c.CPU())
	}
	mean := geometricMean(ratios)
	r.bar("CPU time an I/O against tgtd, geometric mean of the cells", "at most 0.75", mean <= 0.75, "%.2f (highest %.2f)", mean, slices.Max(ratios))
}

func (r *Report) judgeMemory() {
	var most int64
	busy := false
	for _, c := range r.Cells {
		most = max(most, c.Array.RSS)
		busy = busy || c.LUNs == maxLUNs
	}
	if busy {
		r.bar(fmt.Sprintf("RSS with %d LUNs busy", maxLUNs), "at most 64 MiB", most <= 64<<20, "%s", mib(most))
	}
}

func (r *Report) judgeCeilings() {
	off, above := -1.0, -1.0
	var worst CeilingResult
	for _, c := range r.Ceilings {
		if !c.binding() {
			continue
		}
		if d := c.off(); d > off {
			off, worst = d, c
		}
		above = max(above, c.above())
	}
	r.bar("ceilings over 10 s", "within 2 %", 0 <= off && off <= 2,
		"%.2f %% off at worst (%.1f of %d IOPS at QD%d)", off, worst.IOPS, worst.Limit, worst.Depth)
	r.bar("ceilings in the busiest second", "at most 10 % above", 0 <= off && above <= 10, "%.1f %%", above)
}

// off is how far the rate is from the limit, in per cent of it.
func (c CeilingResult) off() float64 {
	return 100 * math.Abs(c.IOPS-float64(c.Limit)) / float64(c.Limit)
}

// above is how far the busiest second is above the limit, in per cent of it. One
// I/O is the measurement's grain.
func (c CeilingResult) above() float64 {
	return 100 * float64(int64(c.Busiest)-1-c.Limit) / float64(c.Limit)
}

func (r *Report) judgeFloor() {
	f := r.Floor
	r.bar("floor among eight neighbours, worst 10 s", "at least 98 %", f.Worst10 >= 0.98*float64(f.Floor),
		"%.0f of %d IOPS", f.Worst10, f.Floor)
	good := 0
	for _, n := range f.Seconds {
		if float64(n) >= 0.9*float64(f.Floor) {
			good++
		}
	}
	r.bar("floor in single seconds", "at least 90 % of it in 95 % of them", float64(good) >= 0.95*float64(len(f.Seconds)),
		"in %d of %d", good, len(f.Seconds))
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
