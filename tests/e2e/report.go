package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// prefix is what all specs of the driver begin with.
const prefix = "External Storage [Driver: san-csi.io] "

// report is what is read of Ginkgo's JSON report (ginkgo v2, types.Report).
type report []struct {
	SpecReports []specReport
}

type specReport struct {
	ContainerHierarchyTexts []string
	LeafNodeType            string
	LeafNodeText            string
	State                   string
	EndTime                 time.Time
	RunTime                 time.Duration
	Failure                 struct{ Message string }
}

// spec is the name of the driver's spec, without prefix; "" is another's, or no
// spec at all.
func (s specReport) spec() string {
	if s.LeafNodeType != "It" {
		return ""
	}
	// As Ginkgo puts names together that it matches: containers without one are passed over.
	texts := slices.DeleteFunc(append(s.ContainerHierarchyTexts, s.LeafNodeText), func(text string) bool { return text == "" })
	full := strings.Join(texts, " ")
	name, ok := strings.CutPrefix(full, prefix)
	if !ok {
		return ""
	}
	return name
}

// result is false for a spec that was not run: because it was not asked for, or
// because the run was ended before.
func (s specReport) result() (Result, bool) {
	result := Result{
		Spec: s.spec(), Seconds: s.RunTime.Seconds(), Ended: s.EndTime,
		Why: oneLine(s.Failure.Message),
	}
	switch {
	case s.State == "passed":
		result.State = Passed
	case s.State == "skipped" && result.Why != "":
		result.State = Skipped
	case s.State == "failed" || s.State == "panicked" || s.State == "timedout":
		result.State = Failed
	default:
		return result, false
	}
	return result, result.Spec != ""
}

// readReport reads a report's results, and why what comes before all specs
// failed, if it did.
func readReport(r io.Reader) (results []Result, setup error, err error) {
	var suites report
	if err := json.NewDecoder(r).Decode(&suites); err != nil {
		return nil, nil, fmt.Errorf("report: %w", err)
	}
	for _, suite := range suites {
		for _, s := range suite.SpecReports {
			if s.LeafNodeType != "It" && s.State == "failed" {
				setup = fmt.Errorf("%s: %s", s.LeafNodeType, oneLine(s.Failure.Message))
			}
			if result, ok := s.result(); ok {
				results = append(results, result)
			}
		}
	}
	return results, setup, nil
}

func readReportFile(path string) (results []Result, setup error, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	return readReport(f)
}

// oneLine is the text in one line, at most 300 bytes of it.
func oneLine(text string) string {
	line := strings.Join(strings.Fields(text), " ")
	if len(line) > 300 {
		line = strings.ToValidUTF8(line[:300], "") + "..."
	}
	return line
}
