package main

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 2, 3}, 2.5}, {[]float64{7}, 7}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
	if !math.IsNaN(median(nil)) {
		t.Error("there is a median of nothing")
	}
	// Round by round: a machine that is busy in one of them is so for both.
	if got := ratio([]float64{20, 2, 30}, []float64{10, 1, 10}); got != 2 {
		t.Errorf("ratio = %v, want 2", got)
	}
	if got := geometricMean([]float64{0.5, 2, 8}); math.Abs(got-2) > 1e-9 {
		t.Errorf("geometric mean = %v, want 2", got)
	}
}

// TestJudge holds reports on both sides of each bar to their verdicts.
func TestJudge(t *testing.T) {
	cell := func(array, peer float64) []CellResult {
		return []CellResult{{
			Cell:  Cell{Kind: "randread", Block: 4096, Depth: 32, LUNs: maxLUNs},
			Array: Samples{IOPS: []float64{array}, CPU: []float64{7}, RSS: 64 << 20},
			Peer:  Samples{IOPS: []float64{peer}, CPU: []float64{10}},
		}}
	}
	floor := func(worst float64, seconds ...int) *FloorResult {
		return &FloorResult{Floor: 1000, Worst10: worst, Seconds: seconds}
	}
	for name, c := range map[string]struct {
		report Report
		missed []string // parts of the bars' names
	}{
		"fast":                    {Report{Cells: cell(130, 100)}, nil},
		"slower than twice":       {Report{Cells: cell(125, 100)}, []string{"QD32"}},
		"slow":                    {Report{Cells: cell(80, 100)}, []string{"geometric mean", "slowest", "QD32"}},
		"idle memory":             {Report{Idle: &IdleResult{RSS: 257 << 20}}, []string{"idle volumes"}},
		"ceiling held":            {Report{Ceilings: []CeilingResult{{Limit: 500, Unlimited: 1000, IOPS: 490, Busiest: 551}}}, nil},
		"no ceiling to judge":     {Report{Ceilings: []CeilingResult{{Limit: 500, Unlimited: 900, IOPS: 500, Busiest: 500}}}, []string{"over 10 s", "busiest"}},
		"ceiling missed":          {Report{Ceilings: []CeilingResult{{Limit: 500, Unlimited: 1000, IOPS: 511, Busiest: 560}}}, []string{"over 10 s", "busiest"}},
		"too near to unlimited":   {Report{Ceilings: []CeilingResult{{Limit: 500, Unlimited: 1000, IOPS: 500, Busiest: 550}, {Limit: 501, Unlimited: 1000, IOPS: 400, Busiest: 900}}}, nil},
		"floor held":              {Report{Floor: floor(980, slices.Repeat([]int{1000}, 19)...)}, nil},
		"floor of one bad second": {Report{Floor: floor(981, append(slices.Repeat([]int{1000}, 19), 0)...)}, nil},
		"floor missed":            {Report{Floor: floor(979, 1000, 899)}, []string{"worst 10 s", "single seconds"}},
		"burst":                   {Report{Burst: &BurstResult{Max: 1000, After: 1019, Busiest: 1101}}, nil},
		"burst without an end":    {Report{Burst: &BurstResult{Max: 1000}}, []string{"burst"}},
		"change":                  {Report{Change: &ChangeResult{Limits: []int64{100, 200}, IOPS: []float64{101, 190}}}, []string{"changed"}},
	} {
		c.report.judge()
		var missed []string
		for _, b := range c.report.Bars {
			if !b.Met {
				missed = append(missed, b.What)
			}
		}
		if !slices.EqualFunc(missed, c.missed, strings.Contains) {
			t.Errorf("%s: missed %q, want %q", name, missed, c.missed)
		}
	}
}
