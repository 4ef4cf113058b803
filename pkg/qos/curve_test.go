package qos

import (
	"math"
	"testing"
)

func TestElementCurveCost(t *testing.T) {
	cases := []struct {
		bytes int
		want  int64
	}{
		{-1, 100}, {0, 100}, {512, 100}, {4096, 100},
		{8192, 160}, {16384, 270}, {32768, 500}, {65536, 1000}, {131072, 1950},
		{262144, 3900}, {524288, 7600}, {1048576, 15000},
		{6144, 130},  // half way
		{4097, 101},  // rounded up
		{12288, 215}, // half way
		{2 << 20, 29800},
		{1572864, 22400}, // the last line, drawn out
	}
	for _, c := range cases {
		if got := ElementCurve().Cost(c.bytes); got != c.want {
			t.Errorf("Cost(%d) = %d; want %d", c.bytes, got, c.want)
		}
	}
}

func TestCostNeverFallsAndNeverOverflows(t *testing.T) {
	curve := ElementCurve()
	last := int64(0)
	for n := 1; n > 0; n = n*2 + 1 {
		cost := curve.Cost(n)
		if cost < last {
			t.Fatalf("Cost(%d) = %d, below %d", n, cost, last)
		}
		last = cost
	}
	if steep := (Curve{{1, 1}, {2, math.MaxInt64}}).Cost(math.MaxInt); steep != math.MaxInt64 {
		t.Errorf("a steep curve costs %d; want it to stop at the largest int64", steep)
	}
	if flat := (Curve{{4096, 100}}).Cost(1 << 20); flat != 100 {
		t.Errorf("a curve of one point costs %d; want 100", flat)
	}
	if none := (Curve{}).Cost(1 << 20); none != 100 {
		t.Errorf("no curve costs %d; want 100", none)
	}
}

func TestMaxIOPS(t *testing.T) {
	cases := []struct {
		limit int64
		bytes int
		want  int64
	}{
		{200000, 4096, 200000}, {200000, 512, 200000}, {200000, 8192, 125000},
		{200000, 16384, 74074}, {200000, 262144, 5128}, {100, 1 << 20, 0},
		{math.MaxInt64, 4096, math.MaxInt64}, {0, 4096, 0}, {-1, 4096, 0},
	}
	for _, c := range cases {
		if got := ElementCurve().MaxIOPS(c.limit, c.bytes); got != c.want {
			t.Errorf("MaxIOPS(%d, %d) = %d; want %d", c.limit, c.bytes, got, c.want)
		}
	}
	if got := (Curve{{1, 1}}).MaxIOPS(math.MaxInt64, 2); got != math.MaxInt64 {
		t.Errorf("a cost of 1 gives %d; want it to stop at the largest int64", got)
	}
}
