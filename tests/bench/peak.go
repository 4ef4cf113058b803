package main

import "time"

// watchPeak follows a figure until the function that it returns is called,
// which gives the highest that was seen.
func watchPeak(read func() (int64, error)) (peak func() int64) {
	stop, result := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		var most int64
		for {
			select {
			case <-tick.C:
				if v, err := read(); err == nil {
					most = max(most, v)
				}
			case <-stop:
				result <- most
				return
			}
		}
	}()
	return func() int64 { close(stop); return <-result }
}
