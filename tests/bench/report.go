package main

import (
	"time"
)

// Report is all that a run found.
type Report struct {
	Started time.Time
	Minutes float64 // the run took
	Machine Machine
	Rounds  int
	Seconds float64 // each measurement of the comparison took

	Cells    []CellResult    `json:",omitempty"`
	Logins   *LoginResult    `json:",omitempty"`
	Idle     *IdleResult     `json:",omitempty"`
	Ceilings []CeilingResult `json:",omitempty"`
	Floor    *FloorResult    `json:",omitempty"`
	Burst    *BurstResult    `json:",omitempty"`
	Change   *ChangeResult   `json:",omitempty"`
	Bars     []Bar
}

// Samples are a target's figures of one cell, one of each a round.
type Samples struct {
	IOPS []float64
	CPU  []float64 // of the target, microseconds an I/O
	P99  []float64 // latency, microseconds
	RSS  int64     // the highest seen, bytes
}

// CellResult is what both targets reached in one cell.
type CellResult struct {
	Cell
	Array, Peer Samples
}

// Speed is the median of the rounds' ratios: the two of a round were measured
// one right after the other, on a machine as busy with other things.
func (c CellResult) Speed() float64 { return ratio(c.Array.IOPS, c.Peer.IOPS) }

// CPU is likewise, of the targets' CPU time an I/O.
func (c CellResult) CPU() float64 { return ratio(c.Array.CPU, c.Peer.CPU) }

// LoginResult is logins a second, one figure a round.
type LoginResult struct{ Array, Peer []float64 }

// IdleResult is the array's resident set in bytes: as it starts, and with so
// many idle volumes, each with a session.
type IdleResult struct {
	Sessions   int
	Empty, RSS int64
}

// CeilingResult is how a ceiling held.
type CeilingResult struct {
	Limit     int64
	Depth     int
	Unlimited float64 // IOPS at this depth without a ceiling
	IOPS      float64
	Busiest   int   // I/Os in the busiest second
	Stall     int64 // the machine's longest, milliseconds
}

// binding says whether the bars hold for this limit.
func (c CeilingResult) binding() bool { return float64(c.Limit) <= c.Unlimited/2 }

// FloorResult is the neighbours' story. Series have an entry a second.
type FloorResult struct {
	Capability, Floor, Before, Ceiling, NeighbourFloor int64

	CameAt, SetAt  float64 // seconds from the begin: the neighbours, the floor
	Alone, Crowded float64 // the victim's IOPS before each
	Worst10        float64 // IOPS of the worst ten seconds since
	Seconds        []int   // I/Os of each second since
	Victim         []int   // I/Os of each second of the run
	Neighbours     [][]int // likewise, one for each of them
	Stall          int64   // the machine's longest, milliseconds
}

// BurstResult is a burst and its end. Lasted is in seconds; After is 0 where
// it did not end.
type BurstResult struct {
	Max, Burst    int64
	Idle          float64 // seconds before
	Lasted        int
	During, After float64 // IOPS
	Busiest       int     // I/Os in the busiest second after it
	Seconds       []int
	Stall         int64 // the machine's longest, milliseconds
}

// ChangeResult is the IOPS under each of some ceilings that were set under
// load, from one second after the change.
type ChangeResult struct {
	Limits  []int64
	IOPS    []float64
	Seconds []int
	Stall   int64 // the machine's longest, milliseconds
}
