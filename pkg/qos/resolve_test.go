package qos

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func elementLimits() Limits {
	return Limits{Min: Range{50, 15000}, Max: Range{100, 200000}, Burst: Range{100, 200000}}
}

func absolute(n int64) Amount { return Amount{IOPS: n} }
func perGiB(n int64) Amount   { return Amount{MicroPerGiB: n} }

func TestResolve(t *testing.T) {
	cases := map[string]struct {
		request Request
		size    int64
		limits  Limits
		want    Values
	}{
		"nothing":                 {Request{}, gib, elementLimits(), Values{}},
		"policy brings none":      {Request{Policy: "gold"}, gib, elementLimits(), Values{}},
		"bounds are inclusive":    {Request{Min: absolute(50), Max: absolute(100), Burst: absolute(200000)}, gib, elementLimits(), Values{50, 100, 200000}},
		"all equal":               {Request{Min: absolute(100), Max: absolute(100), Burst: absolute(100)}, gib, elementLimits(), Values{100, 100, 100}},
		"absent stays absent":     {Request{Max: absolute(500)}, gib, elementLimits(), Values{Max: 500}},
		"scaled":                  {Request{Min: perGiB(500_000), Max: perGiB(10_000_000)}, 200 * gib, elementLimits(), Values{Min: 100, Max: 2000}},
		"scaled is rounded up":    {Request{Min: perGiB(1_000_000)}, 100*gib + 1, elementLimits(), Values{Min: 101}},
		"scaled, clamped up":      {Request{Min: perGiB(1_000_000), Max: perGiB(1_000_000)}, gib, elementLimits(), Values{Min: 50, Max: 100}},
		"scaled, clamped down":    {Request{Min: perGiB(100_000_000)}, 1000 * gib, elementLimits(), Values{Min: 15000}},
		"hostile scale saturates": {Request{Burst: perGiB(math.MaxInt64)}, math.MaxInt64, Limits{}, Values{Burst: math.MaxInt64}},
		"hostile scale clamps":    {Request{Burst: perGiB(math.MaxInt64)}, math.MaxInt64, elementLimits(), Values{Burst: 200000}},
		"no limits known":         {Request{Min: absolute(1), Max: absolute(math.MaxInt64)}, gib, Limits{}, Values{Min: 1, Max: math.MaxInt64}},
		"never 0 once asked for":  {Request{Min: perGiB(1)}, 0, Limits{}, Values{Min: 1}},
		"clamped both ways":       {Request{Min: perGiB(1_000_000), Burst: absolute(100)}, 50 * gib, elementLimits(), Values{Min: 50, Burst: 100}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := c.request.Resolve(c.size, c.limits)
			if err != nil || got != c.want {
				t.Fatalf("Resolve = %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestResolveRefuses(t *testing.T) {
	cases := map[string]struct {
		request    Request
		size       int64
		key, value string
		bound      string
	}{
		"floor 1 below":            {Request{Min: absolute(49)}, gib, "minIOPS", "49", "from 50 to 15000"},
		"floor 1 above":            {Request{Min: absolute(15001)}, gib, "minIOPS", "15001", "from 50 to 15000"},
		"ceiling 1 below":          {Request{Max: absolute(99)}, gib, "maxIOPS", "99", "from 100 to 200000"},
		"ceiling at int64 max":     {Request{Max: absolute(math.MaxInt64)}, gib, "maxIOPS", "9223372036854775807", "from 100 to 200000"},
		"burst 1 above":            {Request{Burst: absolute(200001)}, gib, "burstIOPS", "200001", "from 100 to 200000"},
		"best effort, still wrong": {Request{Max: absolute(99), Enforcement: BestEffort}, gib, "maxIOPS", "99", "from 100 to 200000"},
		"merged out of order":      {Request{Min: absolute(600), Max: absolute(500)}, gib, "minIOPS", "600", "at most maxIOPS (500)"},
		"min over burst":           {Request{Min: absolute(600), Burst: absolute(500)}, gib, "minIOPS", "600", "at most burstIOPS (500)"},
		"scaled under a floor":     {Request{Min: absolute(500), Max: perGiB(10_000_000)}, gib, "minIOPS", "500", "500 IOPS against 100 for 1073741824 bytes"},
		"scaled over a ceiling":    {Request{Min: perGiB(10_500_000), Max: absolute(100)}, 10 * gib, "minIOPSPerGiB", "10.5", "105 IOPS against 100"},
		"clamped max over burst":   {Request{Max: perGiB(1_000_000_000), Burst: absolute(150000)}, 1000 * gib, "maxIOPSPerGiB", "1000", "200000 IOPS against 150000"},
		"policy beside numbers":    {Request{Policy: "gold", Max: absolute(100)}, gib, "qosPolicy", "gold", "absent"},
		"per GiB out of order":     {Request{Min: perGiB(2_000_000), Burst: perGiB(1_000_001)}, gib, "minIOPSPerGiB", "2", "at most burstIOPSPerGiB (1.000001)"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := c.request.Resolve(c.size, elementLimits())
			var pe *ParameterError
			if !errors.As(err, &pe) {
				t.Fatalf("Resolve = %+v, %v; want a *ParameterError", got, err)
			}
			if pe.Key != c.key || pe.Value != c.value || !strings.Contains(pe.Bound, c.bound) {
				t.Errorf("error %+v; want %s, %q, bound with %q", pe, c.key, c.value, c.bound)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	class := Request{Min: perGiB(1_000_000), Max: absolute(1000), Enforcement: BestEffort}
	cases := map[string]struct {
		base, over, want Request
	}{
		"nothing over":               {class, Request{}, class},
		"over nothing":               {Request{}, class, class},
		"other form replaces":        {class, Request{Min: absolute(70)}, Request{Min: absolute(70), Max: absolute(1000), Enforcement: BestEffort}},
		"absent stays":               {class, Request{Burst: absolute(2000)}, Request{Min: perGiB(1_000_000), Max: absolute(1000), Burst: absolute(2000), Enforcement: BestEffort}},
		"policy replaces amounts":    {class, Request{Policy: "gold"}, Request{Policy: "gold", Enforcement: BestEffort}},
		"amounts replace a policy":   {Request{Policy: "gold"}, Request{Max: absolute(100)}, Request{Max: absolute(100)}},
		"policy replaces policy":     {Request{Policy: "gold"}, Request{Policy: "tin"}, Request{Policy: "tin"}},
		"enforcement alone replaces": {class, Request{Enforcement: Required}, Request{Min: perGiB(1_000_000), Max: absolute(1000), Enforcement: Required}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.base.Merge(c.over); got != c.want {
				t.Fatalf("Merge = %+v; want %+v", got, c.want)
			}
		})
	}
}

func TestRequestTells(t *testing.T) {
	cases := map[string]struct {
		request                  Request
		zero, perGiB, bestEffort bool
	}{
		"nothing":     {Request{}, true, false, false},
		"best effort": {Request{Enforcement: BestEffort}, true, false, true},
		"absolute":    {Request{Max: absolute(1)}, false, false, false},
		"scaled":      {Request{Max: perGiB(1)}, false, true, false},
		"policy":      {Request{Policy: "p"}, false, false, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := c.request
			if r.IsZero() != c.zero || r.PerGiB() != c.perGiB || r.BestEffort() != c.bestEffort {
				t.Fatalf("IsZero %t, PerGiB %t, BestEffort %t", r.IsZero(), r.PerGiB(), r.BestEffort())
			}
		})
	}
}

// TestSizeForIsTheInverseOfAt: the largest size whose amount is within the IOPS.
func TestSizeForIsTheInverseOfAt(t *testing.T) {
	for _, rate := range []int64{1, 3, 999_999, 1_000_000, 2_500_000, 7_000_001, 1e12} {
		a := Amount{MicroPerGiB: rate}
		for _, iops := range []int64{0, 1, 2, 50, 99, 15_000, 200_000} {
			size := a.SizeFor(iops)
			if a.At(size) > iops || size < math.MaxInt64 && a.At(size+1) <= iops && iops > 0 {
				t.Errorf("%d millionths per GiB, %d IOPS: size %d, which has %d, the next %d", rate, iops, size, a.At(size), a.At(size+1))
			}
		}
	}
	if got := (Amount{IOPS: 50}).SizeFor(1); got != math.MaxInt64 {
		t.Errorf("an amount that does not scale: %d", got)
	}
}
