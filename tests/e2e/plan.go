package e2e

import (
	"cmp"
	"slices"
	"strings"
)

// plan is which specs a run has to do, in batches: one of Kubernetes' test
// processes each.
type plan struct {
	parallel [][]string // batches that may run beside each other, cheap ones first
	serial   [][]string // batches that may not
}

// planFor plans the specs that have neither passed nor been skipped yet.
func planFor(specs []string, results *Results) plan {
	var p plan
	var skipped, todo []string
	for _, spec := range specs {
		result, _ := results.Of(spec)
		switch {
		case result.State == Passed || result.State == Skipped || leftOut(spec) != "":
		case skippedBeforehand(spec):
			skipped = append(skipped, spec)
		default:
			todo = append(todo, spec)
		}
	}
	slices.SortStableFunc(todo, func(a, b string) int {
		return cmp.Compare(expected(a, results), expected(b, results))
	})
	if len(skipped) > 0 {
		p.parallel = append(p.parallel, skipped)
	}
	for _, spec := range todo {
		if strings.Contains(spec, "[Serial]") {
			p.serial = append(p.serial, []string{spec})
		} else {
			p.parallel = append(p.parallel, []string{spec})
		}
	}
	return p
}

// expected is a spec's time in seconds, as it was, or as such specs take.
func expected(spec string, results *Results) float64 {
	result, known := results.Of(spec)
	switch {
	case known:
		return result.Seconds
	case strings.Contains(spec, "stress"):
		return 300
	case strings.Contains(spec, "[Slow]"):
		return 90
	default:
		return 45
	}
}
