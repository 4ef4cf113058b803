package qos

import (
	"math"
	"math/bits"
	"slices"
)

// unitCost is the cost of an I/O of 4 KiB, and of any smaller one.
const unitCost = 100

// Point is the cost of an I/O of that many bytes.
type Point struct {
	Bytes int
	Cost  int64 // hundredths of a 4 KiB I/O
}

// Curve is what an I/O costs by its size: points of ascending size and cost,
// the first of 4096 bytes at 100.
type Curve []Point

// ElementCurve is the fixed curve of Element arrays, as their volumes show it
// in qos.curve.
func ElementCurve() Curve {
	return Curve{
		{4 << 10, 100}, {8 << 10, 160}, {16 << 10, 270}, {32 << 10, 500}, {64 << 10, 1000},
		{128 << 10, 1950}, {256 << 10, 3900}, {512 << 10, 7600}, {1 << 20, 15000},
	}
}

// Cost is the cost of one I/O of nBytes in hundredths of a 4 KiB I/O: 100 up to
// the first point, on the line between two points, and on the last such line
// drawn out above them; rounded up, and stopping at the largest int64.
func (c Curve) Cost(nBytes int) int64 {
	if len(c) == 0 || nBytes <= c[0].Bytes {
		return unitCost
	}
	if len(c) == 1 {
		return c[0].Cost
	}
	i, _ := slices.BinarySearchFunc(c, nBytes, func(p Point, n int) int { return p.Bytes - n })
	i = min(max(i, 1), len(c)-1)
	return line(c[i-1], c[i], nBytes)
}

// MaxIOPS is how many I/Os of nBytes a second fit in limit IOPS of 4 KiB.
func (c Curve) MaxIOPS(limit int64, nBytes int) int64 {
	cost := c.Cost(nBytes)
	if limit <= 0 || cost <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(limit), unitCost)
	if hi >= uint64(cost) {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(hi, lo, uint64(cost))
	return int64(min(quotient, math.MaxInt64))
}

// line is the cost at nBytes >= a.Bytes on the line through a and b.
func line(a, b Point, nBytes int) int64 {
	rise, run := uint64(b.Cost-a.Cost), uint64(b.Bytes-a.Bytes)
	hi, lo := bits.Mul64(rise, uint64(nBytes-a.Bytes))
	if run == 0 || hi >= run {
		return math.MaxInt64
	}
	quotient, remainder := bits.Div64(hi, lo, run)
	if remainder > 0 && quotient < math.MaxUint64 {
		quotient++
	}
	if quotient > uint64(math.MaxInt64-a.Cost) {
		return math.MaxInt64
	}
	return a.Cost + int64(quotient)
}
