package qos

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The class parameters of this package.
const (
	KeyMin         = "minIOPS"
	KeyMax         = "maxIOPS"
	KeyBurst       = "burstIOPS"
	KeyMinPerGiB   = "minIOPSPerGiB"
	KeyMaxPerGiB   = "maxIOPSPerGiB"
	KeyBurstPerGiB = "burstIOPSPerGiB"
	KeyPolicy      = "qosPolicy"
	KeyEnforcement = "qosEnforcement"
)

const (
	micro            = 1_000_000
	microDigits      = 6
	maxPerGiB        = math.MaxInt64 / micro
	maxPolicyNameLen = 128
)

// Keys are the parameters that Parse reads.
func Keys() []string {
	return []string{
		KeyMin, KeyMax, KeyBurst, KeyMinPerGiB, KeyMaxPerGiB, KeyBurstPerGiB,
		KeyPolicy, KeyEnforcement,
	}
}

// Parse reads the parameters that Keys names; others are not its business. A
// key that is there with an empty value is an error, not an absent key. Errors
// are *ParameterError.
func Parse(params map[string]string) (Request, error) {
	var r Request
	amounts := []struct {
		to            *Amount
		plain, perGiB string
	}{
		{&r.Min, KeyMin, KeyMinPerGiB},
		{&r.Max, KeyMax, KeyMaxPerGiB},
		{&r.Burst, KeyBurst, KeyBurstPerGiB},
	}
	for _, a := range amounts {
		amount, err := parseAmount(params, a.plain, a.perGiB)
		if err != nil {
			return Request{}, err
		}
		*a.to = amount
	}
	if err := r.parsePolicy(params); err != nil {
		return Request{}, err
	}
	if err := r.parseEnforcement(params); err != nil {
		return Request{}, err
	}
	if err := r.checkForms(); err != nil {
		return Request{}, err
	}
	return r, nil
}

func parseAmount(params map[string]string, plain, perGiB string) (Amount, error) {
	absolute, hasAbsolute := params[plain]
	scaled, hasScaled := params[perGiB]
	switch {
	case hasAbsolute && hasScaled:
		return Amount{}, &ParameterError{Key: plain, Value: absolute,
			Bound: fmt.Sprintf("absent where %s is given (%.80q)", perGiB, scaled)}
	case hasAbsolute:
		n, ok := parseWhole(absolute)
		if !ok {
			return Amount{}, &ParameterError{Key: plain, Value: absolute,
				Bound: fmt.Sprintf("a whole number of IOPS from 1 to %d", int64(math.MaxInt64))}
		}
		return Amount{IOPS: n}, nil
	case hasScaled:
		n, ok := parseMicro(scaled)
		if !ok {
			return Amount{}, &ParameterError{Key: perGiB, Value: scaled,
				Bound: fmt.Sprintf("a decimal number of IOPS per GiB from 0.000001 to %d, with at most %d decimals", int64(maxPerGiB), microDigits)}
		}
		return Amount{MicroPerGiB: n}, nil
	}
	return Amount{}, nil
}

func (r *Request) parsePolicy(params map[string]string) error {
	name, given := params[KeyPolicy]
	if !given {
		return nil
	}
	if name == "" || len(name) > maxPolicyNameLen {
		return &ParameterError{Key: KeyPolicy, Value: name,
			Bound: fmt.Sprintf("a name of 1 to %d bytes", maxPolicyNameLen)}
	}
	if r.numbers() {
		return &ParameterError{Key: KeyPolicy, Value: name, Bound: "absent where IOPS are given: a policy brings its own"}
	}
	r.Policy = name
	return nil
}

func (r *Request) parseEnforcement(params map[string]string) error {
	value, given := params[KeyEnforcement]
	if !given {
		return nil
	}
	switch e := Enforcement(value); e {
	case Required, BestEffort:
		r.Enforcement = e
		return nil
	}
	return &ParameterError{Key: KeyEnforcement, Value: value, Bound: fmt.Sprintf("%s or %s", Required, BestEffort)}
}

// parseWhole reads digits alone: no sign, no space, no exponent.
func parseWhole(s string) (int64, bool) {
	if !digits(s) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n > 0
}

// parseMicro reads a decimal number exactly, in millionths.
func parseMicro(s string) (int64, bool) {
	whole, fraction, point := strings.Cut(s, ".")
	if !digits(whole) || point && !digits(fraction) || len(fraction) > microDigits {
		return 0, false
	}
	w, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || w > maxPerGiB {
		return 0, false
	}
	f, err := strconv.ParseInt(fraction+strings.Repeat("0", microDigits-len(fraction)), 10, 64)
	if err != nil || w == maxPerGiB && f > 0 {
		return 0, false
	}
	n := w*micro + f
	return n, n > 0
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
