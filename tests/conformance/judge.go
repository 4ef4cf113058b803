package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Expectation is what is known of a run beforehand. Names are Suite.Test or
// Suite.* for a whole suite.
type Expectation struct {
	// Skips are the tests that are skipped, with the reason.
	Skips map[string]string
	// Faults are tests that are wrong, with the one assertion of theirs that no
	// conforming target fulfils.
	Faults map[string]string
	// Tests and Passed are how many there are and how many pass at least.
	Tests, Passed int
}

// Figures count the tests of a run by outcome. Faulty ones are not among the
// failed.
type Figures struct{ Passed, Failed, Skipped, Hung, Faulty int }

func (f Figures) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped, %d hung, %d failed by a fault of the suite", f.Passed, f.Failed, f.Skipped, f.Hung, f.Faulty)
}

// Judge holds a run to what is expected. Complaints are what is wrong.
func (e Expectation) Judge(tests []Test) (f Figures, complaints []string) {
	complain := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	used := map[string]bool{}
	for _, t := range tests {
		switch t.Outcome {
		case Passed:
			f.Passed++
		case Skipped:
			f.Skipped++
			name, listed := find(e.Skips, t.Name)
			used[name] = true
			if !listed {
				complain("%s is skipped and not listed: %s", t.Name, strings.Join(t.Said, "; "))
			}
		case Failed:
			if fault, listed := e.Faults[t.Name]; listed && t.only(fault) {
				f.Faulty++
				used[t.Name] = true
				continue
			}
			f.Failed++
			complain("%s failed: %s", t.Name, strings.Join(t.Said, "; "))
		default:
			f.Hung++
			complain("%s hung: %s", t.Name, strings.Join(t.Said, "; "))
		}
	}
	for _, list := range []map[string]string{e.Skips, e.Faults} {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			if !used[name] {
				complain("%s is listed as skipped or faulty and is not: take it off the list", name)
			}
		}
	}
	if len(tests) != e.Tests {
		complain("%d tests ran, there are %d", len(tests), e.Tests)
	}
	if f.Passed < e.Passed {
		complain("%d tests passed, at least %d must", f.Passed, e.Passed)
	}
	return f, complaints
}

// find looks for a test, or its suite, in a list.
func find(list map[string]string, test string) (name string, ok bool) {
	suite, _, _ := strings.Cut(test, ".")
	for _, name := range []string{test, suite + ".*"} {
		if _, ok := list[name]; ok {
			return name, true
		}
	}
	return "", false
}

// only says whether the one thing that failed is this assertion.
func (t Test) only(assertion string) bool {
	return len(t.Said) == 1 && strings.Contains(t.Said[0], assertion)
}
