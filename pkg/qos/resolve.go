package qos

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

const gib = 1 << 30

// part is one value of a request on its way to a number.
type part struct {
	amount      Amount
	key, perGiB string
	limit       Range
}

func (r Request) parts(l Limits) []part {
	return []part{
		{r.Min, KeyMin, KeyMinPerGiB, l.Min},
		{r.Max, KeyMax, KeyMaxPerGiB, l.Max},
		{r.Burst, KeyBurst, KeyBurstPerGiB, l.Burst},
	}
}

// Resolve gives the values for a volume of sizeBytes on an array with limits l,
// where a High of 0 is no limit. Scaled values are clamped to the limits;
// absolute ones outside them, and values that are not min <= max <= burst
// afterwards, are *ParameterError. What is not given, and all of a policy's
// values, are 0.
func (r Request) Resolve(sizeBytes int64, l Limits) (Values, error) {
	if err := r.checkForms(); err != nil {
		return Values{}, err
	}
	parts := r.parts(l)
	var resolved [3]int64
	for i, p := range parts {
		n, err := p.resolve(sizeBytes)
		if err != nil {
			return Values{}, err
		}
		resolved[i] = n
	}
	for _, pair := range pairs() {
		low, high := pair[0], pair[1]
		if resolved[low] == 0 || resolved[high] == 0 || resolved[low] <= resolved[high] {
			continue
		}
		return Values{}, &ParameterError{Key: parts[low].name(), Value: parts[low].text(),
			Bound: fmt.Sprintf("at most %s: %d IOPS against %d for %d bytes within the array's limits",
				parts[high].name(), resolved[low], resolved[high], sizeBytes)}
	}
	return Values{Min: resolved[0], Max: resolved[1], Burst: resolved[2]}, nil
}

// pairs are the places in parts that must be in order.
func pairs() [3][2]int { return [...][2]int{{0, 1}, {1, 2}, {0, 2}} }

// checkForms finds what is wrong at any size: amounts of the same form out of
// order, and a policy beside amounts.
func (r Request) checkForms() error {
	if r.Policy != "" && r.numbers() {
		return &ParameterError{Key: KeyPolicy, Value: r.Policy, Bound: "absent where IOPS are given: a policy brings its own"}
	}
	parts := r.parts(Limits{})
	for _, pair := range pairs() {
		low, high := parts[pair[0]], parts[pair[1]]
		if outOfOrder(low.amount.IOPS, high.amount.IOPS) || outOfOrder(low.amount.MicroPerGiB, high.amount.MicroPerGiB) {
			return &ParameterError{Key: low.name(), Value: low.text(),
				Bound: fmt.Sprintf("at most %s (%s)", high.name(), high.text())}
		}
	}
	return nil
}

func outOfOrder(low, high int64) bool { return low != 0 && high != 0 && low > high }

// resolve is the part's number for a volume of sizeBytes; 0 = not given.
func (p part) resolve(sizeBytes int64) (int64, error) {
	if p.amount.IsZero() {
		return 0, nil
	}
	low, high := p.limit.Low, p.limit.High
	if high == 0 {
		high = math.MaxInt64
	}
	n := p.amount.At(sizeBytes)
	if p.amount.MicroPerGiB != 0 {
		return max(1, min(max(n, low), high)), nil
	}
	if n < low || n > high {
		return 0, &ParameterError{Key: p.key, Value: p.text(), Bound: fmt.Sprintf("from %d to %d IOPS on this array", low, high)}
	}
	return n, nil
}

func (p part) name() string {
	if p.amount.MicroPerGiB != 0 {
		return p.perGiB
	}
	return p.key
}

// text is the amount as a class would write it.
func (p part) text() string {
	n := p.amount.MicroPerGiB
	if n == 0 {
		return strconv.FormatInt(p.amount.IOPS, 10)
	}
	text := fmt.Sprintf("%d.%06d", n/micro, n%micro)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// scale is sizeBytes x microPerGiB in whole IOPS, rounded up, so that no class
// gets less than it was promised.
func scale(microPerGiB, sizeBytes int64) int64 {
	if sizeBytes <= 0 || microPerGiB <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(microPerGiB), uint64(sizeBytes))
	const divisor = uint64(gib) * micro
	if hi >= divisor {
		return math.MaxInt64
	}
	quotient, remainder := bits.Div64(hi, lo, divisor)
	if quotient >= math.MaxInt64 {
		return math.MaxInt64
	}
	if remainder > 0 {
		quotient++
	}
	return int64(quotient)
}
