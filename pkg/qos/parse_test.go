package qos

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	cases := map[string]struct {
		params map[string]string
		want   Request
	}{
		"nothing":           {nil, Request{}},
		"foreign keys":      {map[string]string{"array": "a", "mkfsOptions": "-K"}, Request{}},
		"floor alone":       {map[string]string{"minIOPS": "50"}, Request{Min: Amount{IOPS: 50}}},
		"all three":         {map[string]string{"minIOPS": "50", "maxIOPS": "100", "burstIOPS": "100"}, Request{Min: Amount{IOPS: 50}, Max: Amount{IOPS: 100}, Burst: Amount{IOPS: 100}}},
		"leading zeros":     {map[string]string{"maxIOPS": "0100"}, Request{Max: Amount{IOPS: 100}}},
		"largest":           {map[string]string{"burstIOPS": "9223372036854775807"}, Request{Burst: Amount{IOPS: math.MaxInt64}}},
		"half per GiB":      {map[string]string{"minIOPSPerGiB": "0.5"}, Request{Min: Amount{MicroPerGiB: 500_000}}},
		"whole per GiB":     {map[string]string{"maxIOPSPerGiB": "10"}, Request{Max: Amount{MicroPerGiB: 10_000_000}}},
		"smallest per GiB":  {map[string]string{"burstIOPSPerGiB": "0.000001"}, Request{Burst: Amount{MicroPerGiB: 1}}},
		"largest per GiB":   {map[string]string{"burstIOPSPerGiB": "9223372036854"}, Request{Burst: Amount{MicroPerGiB: 9223372036854_000000}}},
		"both forms, apart": {map[string]string{"minIOPS": "50", "maxIOPSPerGiB": "3"}, Request{Min: Amount{IOPS: 50}, Max: Amount{MicroPerGiB: 3_000_000}}},
		"policy":            {map[string]string{"qosPolicy": "gold"}, Request{Policy: "gold"}},
		"required":          {map[string]string{"qosEnforcement": "Required"}, Request{Enforcement: Required}},
		"best effort":       {map[string]string{"maxIOPS": "100", "qosEnforcement": "BestEffort"}, Request{Max: Amount{IOPS: 100}, Enforcement: BestEffort}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(c.params)
			if err != nil || got != c.want {
				t.Fatalf("Parse(%v) = %+v, %v; want %+v", c.params, got, err, c.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	cases := map[string]struct {
		params     map[string]string
		key, bound string // the bound holds this text
	}{
		"empty":                  {map[string]string{"minIOPS": ""}, "minIOPS", "from 1 to 9223372036854775807"},
		"word":                   {map[string]string{"maxIOPS": "abc"}, "maxIOPS", "whole number"},
		"zero":                   {map[string]string{"maxIOPS": "0"}, "maxIOPS", "from 1"},
		"negative":               {map[string]string{"maxIOPS": "-1"}, "maxIOPS", "from 1"},
		"sign":                   {map[string]string{"maxIOPS": "+1"}, "maxIOPS", "whole number"},
		"space":                  {map[string]string{"maxIOPS": " 1"}, "maxIOPS", "whole number"},
		"exponent":               {map[string]string{"maxIOPS": "1e3"}, "maxIOPS", "whole number"},
		"decimals":               {map[string]string{"burstIOPS": "1.5"}, "burstIOPS", "whole number"},
		"1 past int64":           {map[string]string{"burstIOPS": "9223372036854775808"}, "burstIOPS", "to 9223372036854775807"},
		"other digits":           {map[string]string{"burstIOPS": "١٠٠"}, "burstIOPS", "whole number"},
		"per GiB zero":           {map[string]string{"minIOPSPerGiB": "0.0"}, "minIOPSPerGiB", "from 0.000001"},
		"per GiB too fine":       {map[string]string{"minIOPSPerGiB": "0.0000001"}, "minIOPSPerGiB", "at most 6 decimals"},
		"per GiB no whole":       {map[string]string{"minIOPSPerGiB": ".5"}, "minIOPSPerGiB", "decimal number"},
		"per GiB no fraction":    {map[string]string{"minIOPSPerGiB": "5."}, "minIOPSPerGiB", "decimal number"},
		"per GiB two points":     {map[string]string{"minIOPSPerGiB": "1.2.3"}, "minIOPSPerGiB", "decimal number"},
		"per GiB past the end":   {map[string]string{"maxIOPSPerGiB": "9223372036854.1"}, "maxIOPSPerGiB", "to 9223372036854"},
		"per GiB far past":       {map[string]string{"maxIOPSPerGiB": "99999999999999999999"}, "maxIOPSPerGiB", "to 9223372036854"},
		"both forms of one":      {map[string]string{"minIOPS": "50", "minIOPSPerGiB": "1"}, "minIOPS", "minIOPSPerGiB"},
		"min over max":           {map[string]string{"minIOPS": "101", "maxIOPS": "100"}, "minIOPS", "at most maxIOPS (100)"},
		"max over burst":         {map[string]string{"maxIOPS": "101", "burstIOPS": "100"}, "maxIOPS", "at most burstIOPS (100)"},
		"min over burst":         {map[string]string{"minIOPS": "101", "burstIOPS": "100"}, "minIOPS", "at most burstIOPS (100)"},
		"min over max, per GiB":  {map[string]string{"minIOPSPerGiB": "1.5", "maxIOPSPerGiB": "1.25"}, "minIOPSPerGiB", "at most maxIOPSPerGiB (1.25)"},
		"empty policy":           {map[string]string{"qosPolicy": ""}, "qosPolicy", "1 to 128 bytes"},
		"long policy":            {map[string]string{"qosPolicy": strings.Repeat("p", 129)}, "qosPolicy", "1 to 128 bytes"},
		"policy and number":      {map[string]string{"qosPolicy": "gold", "maxIOPS": "100"}, "qosPolicy", "absent"},
		"policy and per GiB":     {map[string]string{"qosPolicy": "gold", "maxIOPSPerGiB": "1"}, "qosPolicy", "absent"},
		"enforcement, lower":     {map[string]string{"qosEnforcement": "required"}, "qosEnforcement", "Required or BestEffort"},
		"enforcement, empty":     {map[string]string{"qosEnforcement": ""}, "qosEnforcement", "Required or BestEffort"},
		"enforcement, something": {map[string]string{"qosEnforcement": "Hard"}, "qosEnforcement", "Required or BestEffort"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(c.params)
			var pe *ParameterError
			if !errors.As(err, &pe) {
				t.Fatalf("Parse(%v) = %+v, %v; want a *ParameterError", c.params, got, err)
			}
			if pe.Key != c.key || pe.Value != c.params[c.key] || !strings.Contains(pe.Bound, c.bound) {
				t.Errorf("error %+v; want key %s, value %q, bound with %q", pe, c.key, c.params[c.key], c.bound)
			}
			for _, part := range []string{pe.Key, pe.Bound} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("message %q lacks %q", err, part)
				}
			}
		})
	}
}

func TestLongValueIsCutInMessage(t *testing.T) {
	_, err := Parse(map[string]string{"maxIOPS": strings.Repeat("9", 1<<20)})
	if err == nil || len(err.Error()) > 300 {
		t.Fatalf("message of %d bytes", len(err.Error()))
	}
}

func FuzzParse(f *testing.F) {
	f.Add("50", "100", "0.5", "", "Required")
	f.Add("9223372036854775807", "", "9223372036854.999999", "gold", "BestEffort")
	f.Fuzz(func(t *testing.T, low, high, perGiB, policy, enforcement string) {
		params := map[string]string{}
		for key, value := range map[string]string{KeyMin: low, KeyMax: high, KeyBurstPerGiB: perGiB, KeyPolicy: policy, KeyEnforcement: enforcement} {
			if value != "" {
				params[key] = value
			}
		}
		r, err := Parse(params)
		if err != nil {
			var pe *ParameterError
			if !errors.As(err, &pe) || !slices.Contains(Keys(), pe.Key) || pe.Bound == "" {
				t.Fatalf("error %#v names no key or bound", err)
			}
			return
		}
		values, err := r.Resolve(math.MaxInt64, Limits{})
		if err != nil {
			return
		}
		for _, v := range []int64{values.Min, values.Max, values.Burst} {
			if v < 0 {
				t.Fatalf("%v resolves to %+v", params, values)
			}
		}
		if outOfOrder(values.Min, values.Max) || outOfOrder(values.Max, values.Burst) || outOfOrder(values.Min, values.Burst) {
			t.Fatalf("%v resolves to %+v, out of order", params, values)
		}
	})
}
