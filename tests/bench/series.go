package main

import (
	"slices"
	"time"
)

// series is when I/Os ended, in ascending order.
type series []time.Duration

// end is until when a series is whole: as fio stops, nothing takes the place of
// the I/Os that end last.
func (s series) end() time.Duration { return s[len(s)-1] - time.Second/2 }

// in counts the I/Os of [from, to).
func (s series) in(from, to time.Duration) int {
	return s.index(to) - s.index(from)
}

func (s series) index(at time.Duration) int {
	i, _ := slices.BinarySearch(s, at)
	return i
}

// rate is I/Os a second in [from, to).
func (s series) rate(from, to time.Duration) float64 {
	return float64(s.in(from, to)) / (to - from).Seconds()
}

// busiest is the most I/Os in any one second of [from, to).
func (s series) busiest(from, to time.Duration) int {
	most := 0
	for _, at := range s[s.index(from):s.index(to)] {
		if at+time.Second <= to {
			most = max(most, s.in(at, at+time.Second))
		}
	}
	return most
}

// seconds counts the I/Os of each whole second of [from, to).
func (s series) seconds(from, to time.Duration) []int {
	var counts []int
	for at := from; at+time.Second <= to; at += time.Second {
		counts = append(counts, s.in(at, at+time.Second))
	}
	return counts
}
