// Package qos is the quality of service of a volume: its floor, ceiling and
// burst, read from class parameters, checked, scaled by size, and the cost of
// an I/O by its size. It imports nothing of ours.
package qos

// Values are IOPS of 4 KiB. A member that is 0 is not given.
type Values struct {
	Min, Max, Burst int64
}

// Range is an inclusive range of IOPS.
type Range struct {
	Low, High int64
}

// Limits are the bounds an array sets to each value.
type Limits struct {
	Min, Max, Burst Range
}
