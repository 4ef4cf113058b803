package qos

import (
	"cmp"
	"math"
	"math/bits"
)

// Enforcement says what an array that cannot hold the values is good for.
type Enforcement string

const (
	// Required refuses an array that cannot honour the values; it is the default.
	Required Enforcement = "Required"
	// BestEffort takes such an array all the same.
	BestEffort Enforcement = "BestEffort"
)

// Amount is one value as asked for: absolute, or scaled by the volume's size.
// At most one member is set; the zero Amount is not given.
type Amount struct {
	IOPS        int64 // of 4 KiB
	MicroPerGiB int64 // millionths of an IOPS per GiB
}

// SizeFor is the largest size in bytes of which At is at most iops; the largest
// int64 for an amount that does not scale.
func (a Amount) SizeFor(iops int64) int64 {
	if a.MicroPerGiB == 0 {
		return math.MaxInt64
	}
	if iops <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(iops), gib*micro)
	if hi >= uint64(a.MicroPerGiB) {
		return math.MaxInt64
	}
	size, _ := bits.Div64(hi, lo, uint64(a.MicroPerGiB))
	return int64(min(size, math.MaxInt64))
}

// IsZero tells whether the amount is not given.
func (a Amount) IsZero() bool { return a == Amount{} }

// At is the amount for a volume of sizeBytes, before any limit: a scaled
// amount is rounded up and stops at the largest int64.
func (a Amount) At(sizeBytes int64) int64 {
	if a.MicroPerGiB == 0 {
		return a.IOPS
	}
	return scale(a.MicroPerGiB, sizeBytes)
}

// Request is the quality of service that class parameters ask for. The zero
// Request asks for the array's default.
type Request struct {
	Min, Max, Burst Amount
	Policy          string      // a policy of the array, instead of the amounts
	Enforcement     Enforcement // "" = Required
}

// IsZero tells whether neither amounts nor a policy are given.
func (r Request) IsZero() bool { return !r.numbers() && r.Policy == "" }

// PerGiB tells whether an amount scales, so that growing the volume changes it.
func (r Request) PerGiB() bool {
	return r.Min.MicroPerGiB != 0 || r.Max.MicroPerGiB != 0 || r.Burst.MicroPerGiB != 0
}

// BestEffort tells whether an array that cannot honour the values will do.
func (r Request) BestEffort() bool { return r.Enforcement == BestEffort }

// Merge lays over on top of r: an amount that over gives replaces r's of either
// form, a policy replaces amounts and amounts a policy; the rest stays. Resolve
// checks the outcome, since two requests that are right may not fit together.
func (r Request) Merge(over Request) Request {
	r.Enforcement = cmp.Or(over.Enforcement, r.Enforcement)
	if over.Policy != "" {
		return Request{Policy: over.Policy, Enforcement: r.Enforcement}
	}
	if over.numbers() {
		r.Policy = ""
	}
	r.Min = cmp.Or(over.Min, r.Min)
	r.Max = cmp.Or(over.Max, r.Max)
	r.Burst = cmp.Or(over.Burst, r.Burst)
	return r
}

func (r Request) numbers() bool {
	return !r.Min.IsZero() || !r.Max.IsZero() || !r.Burst.IsZero()
}
