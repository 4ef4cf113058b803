package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// State is what came of a spec.
type State string

// States.
const (
	Passed  State = "passed"
	Failed  State = "failed"
	Skipped State = "skipped"
)

// Result is what came of a spec.
type Result struct {
	Spec    string    `json:"spec"` // its name, without prefix
	State   State     `json:"state"`
	Seconds float64   `json:"seconds"`
	Why     string    `json:"why,omitempty"` // it was skipped or failed
	Ended   time.Time `json:"ended"`
}

// Results are the specs' latest results, kept in a file of a line of JSON for
// each result ever. It is safe for concurrent use.
type Results struct {
	mu     sync.Mutex
	path   string
	latest map[string]Result
}

// OpenResults reads the file, if it is there.
func OpenResults(path string) (*Results, error) {
	r := &Results{path: path, latest: map[string]Result{}}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		var result Result
		if err := json.Unmarshal(lines.Bytes(), &result); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		r.latest[result.Spec] = result
	}
	return r, lines.Err()
}

// Add keeps a result, on disk before it returns.
func (r *Results) Add(result Result) error {
	line, err := json.Marshal(result)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	r.latest[result.Spec] = result
	return errors.Join(err, f.Close())
}

// Of is the latest result of a spec.
func (r *Results) Of(spec string) (Result, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	result, ok := r.latest[spec]
	return result, ok
}

// Count counts the specs' latest results by state; the state "" is of those
// without one.
func (r *Results) Count(specs []string) map[State]int {
	n := map[State]int{}
	for _, spec := range specs {
		result, _ := r.Of(spec)
		n[result.State]++
	}
	return n
}
