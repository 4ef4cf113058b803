// Command exerciser does to a file what programs do to files, in random order,
// beside a model of it in memory, and fails at the first byte that differs: the
// idea is that of fsx. It runs in a guest, on a file system whose disk comes and
// goes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	path := flag.String("file", "", "the file; made anew")
	seed := flag.Uint64("seed", 1, "of the operations")
	size := flag.Int64("size", 4<<20, "the file's greatest length, bytes")
	duration := flag.Duration("for", time.Minute, "how long")
	flag.Parse()
	operations, err := exercise(*path, *seed, *size, *duration)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s, seed %d, operation %d: %v\n", *path, *seed, operations, err)
		os.Exit(1)
	}
	fmt.Printf("%s, seed %d: %d operations, no mismatch\n", *path, *seed, operations)
}

func exercise(path string, seed uint64, size int64, duration time.Duration) (operations int, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o644)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	m := newModel(f, seed, size)
	for end := time.Now().Add(duration); time.Now().Before(end); operations++ {
		if err := m.step(); err != nil {
			return operations, errors.Join(err, m.history())
		}
	}
	if err := m.checkAll(); err != nil {
		return operations, errors.Join(err, m.history())
	}
	return operations, nil
}
