package main

import (
	"context"
	"time"
)

// saved is how much of its rate a bucket of the array saves up: what is lost in
// a longer stall of the machine,
// nobody makes good.
const saved = 100 * time.Millisecond

// attempts bounds how often a measurement of quality of service is made.
const attempts = 2

// calmly makes a measurement, and makes it again where the machine stood still
// for longer than the array's buckets save up: what is measured then is how
// busy the machine is. It tells the longest stall of the one that counts, the last.
func calmly(ctx context.Context, measure func(context.Context) error) (stall time.Duration, err error) {
	for range attempts {
		watch := watchStalls()
		err := measure(ctx)
		if stall = watch(); err != nil || stall <= saved {
			return stall, err
		}
		say("the machine stood still for %d ms", stall.Milliseconds())
	}
	return stall, nil
}

// watchStalls looks how late a timer comes until the function that it returns
// is called, which gives the latest.
func watchStalls() (longest func() time.Duration) {
	const period = 5 * time.Millisecond
	stop, result := make(chan struct{}), make(chan time.Duration)
	go func() {
		tick := time.NewTicker(period)
		defer tick.Stop()
		var most time.Duration
		for last := time.Now(); ; {
			select {
			case <-tick.C:
				now := time.Now()
				most = max(most, now.Sub(last)-period)
				last = now
			case <-stop:
				result <- most
				return
			}
		}
	}()
	return func() time.Duration { close(stop); return <-result }
}
