package main

import (
	"slices"
	"testing"
	"time"
)

// every makes a series of n I/Os, one each step, from from on.
func every(step, from time.Duration, n int) series {
	var s series
	for i := range n {
		s = append(s, from+time.Duration(i)*step)
	}
	return s
}

func TestSeries(t *testing.T) {
	const ms = time.Millisecond
	steady := every(10*ms, 0, 300)
	crowded := slices.Concat(every(10*ms, 0, 150), every(ms, 1500*ms, 50), every(10*ms, 1550*ms, 145))
	for name, c := range map[string]struct {
		s        series
		from, to time.Duration
		rate     float64
		busiest  int
		seconds  []int
	}{
		"steady":                   {steady, 0, 3 * time.Second, 100, 100, []int{100, 100, 100}},
		"a part":                   {steady, 500 * ms, 2500 * ms, 100, 100, []int{100, 100}},
		"no whole second":          {steady, 0, 900 * ms, 100, 0, nil},
		"a crowd between seconds":  {crowded, 0, 3 * time.Second, 115, 145, []int{100, 145, 100}},
		"the end does not count":   {steady, 0, 1010 * ms, 100, 100, []int{100}},
		"before and after nothing": {every(10*ms, time.Second, 100), 0, 3 * time.Second, 100.0 / 3, 100, []int{0, 100, 0}},
	} {
		if got := c.s.rate(c.from, c.to); got < c.rate-0.01 || got > c.rate+0.01 {
			t.Errorf("%s: rate %v, want %v", name, got, c.rate)
		}
		if got := c.s.busiest(c.from, c.to); got != c.busiest {
			t.Errorf("%s: busiest second %d, want %d", name, got, c.busiest)
		}
		if got := c.s.seconds(c.from, c.to); !slices.Equal(got, c.seconds) {
			t.Errorf("%s: seconds %v, want %v", name, got, c.seconds)
		}
	}
}

func TestFallBack(t *testing.T) {
	burst := every(time.Second/burstBurst, time.Second, 5*burstBurst)
	after := every(time.Second/burstMax, 6*time.Second, 20*burstMax)
	r := fallBack(slices.Concat(burst, after))
	if r.Lasted != 5 || r.During < burstBurst-1 || r.During > burstBurst+1 || r.After != burstMax || r.Busiest != burstMax {
		t.Errorf("%+v", r)
	}
	if r := fallBack(burst); r.After != 0 {
		t.Errorf("a burst that has not ended: %+v", r)
	}
	if r := fallBack(after); r.Lasted != 0 || r.After != 0 {
		t.Errorf("no burst: %+v", r)
	}
}
