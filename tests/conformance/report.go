package conformance

import (
	"bufio"
	"io"
	"regexp"
	"strings"
)

// Outcome is how one test of the suite ended.
type Outcome string

const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Skipped Outcome = "skipped"
	Hung    Outcome = "hung" // or died: it never ended
)

// Test is one test as the suite reported it.
type Test struct {
	Name    string // Suite.Test
	Outcome Outcome
	// Said is what the suite printed while it ran: why it was skipped, which
	// assertions failed.
	Said []string
}

var (
	suiteLine = regexp.MustCompile(`^Suite: (\S+)`)
	testLine  = regexp.MustCompile(`^  Test: (.+?) \.\.\.(.*)`)
)

// Read reads the verbose output of iscsi-test-cu to its end. It calls progress
// at the beginning of each suite.
func Read(r io.Reader, progress func(suite string)) ([]Test, error) {
	var tests []Test
	var suite string
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if m := suiteLine.FindStringSubmatch(line); m != nil {
			suite = m[1]
			progress(suite)
			continue
		}
		if m := testLine.FindStringSubmatch(line); m != nil {
			tests = append(tests, Test{Name: suite + "." + m[1], Outcome: Hung})
			line = m[2]
		}
		if strings.HasPrefix(line, "Run Summary:") {
			break
		}
		if len(tests) > 0 {
			tests[len(tests)-1].hear(strings.TrimSpace(line))
		}
	}
	_, err := io.Copy(io.Discard, r)
	if lines.Err() != nil {
		err = lines.Err()
	}
	return tests, err
}

// hear takes one line of a test. A test that skips is passed to the suite: what
// it said before tells. What is said after its end is the suite's, not its own,
// but for the assertions that failed.
func (t *Test) hear(line string) {
	ended := t.Outcome != Hung
	switch {
	case line == "", ended && t.Outcome != Failed:
	case ended:
		t.Said = append(t.Said, line)
	case strings.HasPrefix(line, "passed"):
		t.Outcome = Passed
		if len(t.Said) > 0 && strings.Contains(t.Said[len(t.Said)-1], "[SKIPPED]") {
			t.Outcome = Skipped
		}
	case strings.HasPrefix(line, "FAILED"):
		t.Outcome = Failed
	default:
		t.Said = append(t.Said, line)
	}
}
