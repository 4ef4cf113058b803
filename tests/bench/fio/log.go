package fio

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// readLog reads a log with a line for each I/O, which begins with the Unix
// time in milliseconds at which it ended.
func readLog(path string, since time.Time) ([]time.Duration, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var ends []time.Duration
	s := bufio.NewScanner(f)
	for s.Scan() {
		field, _, _ := strings.Cut(s.Text(), ",")
		ms, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("fio's log %s: line %q: %w", path, s.Text(), err)
		}
		ends = append(ends, time.UnixMilli(ms).Sub(since))
	}
	slices.Sort(ends)
	return ends, s.Err()
}
