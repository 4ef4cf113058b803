// Command reads makes random direct reads of 4 KiB from a file or block device
// for a while and prints how many it made a second. It is what the tests
// measure a volume's ceiling with, in its pod.
package main

import (
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const block = 4096

func main() {
	depth := flag.Int("depth", 16, "reads under way at a time")
	ramp := flag.Duration("ramp", 2*time.Second, "time that is not counted, at the start")
	span := flag.Duration("time", 8*time.Second, "time that is counted")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: reads [flags] FILE")
	}
	rate, err := measure(flag.Arg(0), *depth, *ramp, *span)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.1f\n", rate)
}

func measure(path string, depth int, ramp, span time.Duration) (float64, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	size, err := file.Seek(0, 2)
	if err != nil || size < block {
		return 0, fmt.Errorf("%s: %d bytes, %w", path, size, err)
	}
	begin := time.Now().Add(ramp)
	end := begin.Add(span)
	var done atomic.Int64
	failed := make(chan error, depth)
	var readers sync.WaitGroup
	for range depth {
		readers.Go(func() {
			buffer := aligned()
			for time.Now().Before(end) {
				if _, err := file.ReadAt(buffer, rand.Int64N(size/block)*block); err != nil {
					failed <- err
					return
				}
				if now := time.Now(); now.After(begin) && now.Before(end) {
					done.Add(1)
				}
			}
		})
	}
	readers.Wait()
	close(failed)
	return float64(done.Load()) / span.Seconds(), <-failed
}

// aligned is a buffer as direct I/O wants it.
func aligned() []byte {
	buffer := make([]byte, 2*block)
	skip := block - int(uintptr(unsafe.Pointer(&buffer[0]))%block)
	return buffer[skip : skip+block]
}
