package e2e

import (
	"fmt"
	"slices"
	"strings"
)

// Summary is how many of the specs passed, failed and so on, in a line.
func Summary(specs []string, results *Results) string {
	var run []string
	for _, spec := range specs {
		if leftOut(spec) == "" {
			run = append(run, spec)
		}
	}
	n := results.Count(run)
	return fmt.Sprintf("%d specs: %d passed, %d failed, %d skipped, %d left out, %d not run yet",
		len(specs), n[Passed], n[Failed], n[Skipped], len(specs)-len(run), n[""])
}

// kubernetes is the version whose tests these are (suite/go.mod).
const kubernetes = "v1.36.3"

const intro = `# Kubernetes' storage tests

<!-- Written by ` + "`go run ./tests/e2e/run -table`" + ` from the results of ` + "`make test-e2e`" + `. -->

Kubernetes has tests of its own for storage drivers, the external storage suite of its ` + "`e2e.test`" + `. ` + "`make test-e2e`" + ` runs it
against this driver on a cluster of Kubernetes ` + kubernetes + ` with two workers, virtual machines that are emulated: times are of a slow
machine. It is told every capability that the driver has ([driver.yaml](../tests/e2e/driver/driver.yaml)). A run goes on where the former one
stopped; ` + "`E2E=-afresh`" + ` forgets. ` + "`make test-e2e-smoke`" + ` runs a short list in which each capability has a spec.

`

// Page is the docs' page of the results.
func Page(specs []string, results *Results) string {
	var b strings.Builder
	b.WriteString(intro)
	fmt.Fprintf(&b, "%s.\n", Summary(specs, results))
	first, last := period(specs, results)
	if first != last {
		first += " to " + last
	}
	fmt.Fprintf(&b, "Results of %s.\n", first)
	writeRun(&b, specs, results)
	writeSkipped(&b, specs, results)
	writePending(&b, specs, results)
	return b.String()
}

// period is the days of the first and the latest result.
func period(specs []string, results *Results) (first, last string) {
	for _, spec := range specs {
		if result, known := results.Of(spec); known {
			day := result.Ended.UTC().Format("2006-01-02")
			if first == "" || day < first {
				first = day
			}
			last = max(last, day)
		}
	}
	return first, last
}

// writeRun writes the specs that were run, by their group of the suite.
func writeRun(b *strings.Builder, specs []string, results *Results) {
	fmt.Fprint(b, "\n## Run\n")
	group := ""
	for _, spec := range sorted(specs) {
		result, known := results.Of(spec)
		if !known || result.State == Skipped || leftOut(spec) != "" {
			continue
		}
		if g, _ := split(spec); g != group {
			group = g
			fmt.Fprintf(b, "\n| %s | result | s |\n|---|---|---|\n", group)
		}
		_, rest := split(spec)
		fmt.Fprintf(b, "| %s | %s | %.0f |\n", cell(rest), outcome(result), result.Seconds)
	}
}

// outcome is the state, and why a spec failed.
func outcome(result Result) string {
	if result.State == Failed {
		return cell("failed: " + result.Why)
	}
	return string(result.State)
}

// writeSkipped writes the specs that were not, by the capability that is missing.
func writeSkipped(b *strings.Builder, specs []string, results *Results) {
	fmt.Fprint(b, "\n## Skipped\n\nBy what is missing.\n")
	byCapability := map[string][]string{}
	for _, spec := range sorted(specs) {
		result, _ := results.Of(spec)
		capability := leftOut(spec)
		if capability == "" && result.State == Skipped {
			capability = explain(result.Why)
			if capability == "" {
				capability = "Not explained: " + result.Why
			}
		}
		if capability != "" {
			byCapability[capability] = append(byCapability[capability], spec)
		}
	}
	capabilities := make([]string, 0, len(byCapability))
	for capability := range byCapability {
		capabilities = append(capabilities, capability)
	}
	slices.Sort(capabilities)
	for _, capability := range capabilities {
		skipped := byCapability[capability]
		fmt.Fprintf(b, "\n%s. %d specs:\n\n<details><summary>Specs</summary>\n\n", capability, len(skipped))
		for _, spec := range skipped {
			fmt.Fprintf(b, "- `%s`\n", spec)
		}
		fmt.Fprint(b, "\n</details>\n")
	}
}

func writePending(b *strings.Builder, specs []string, results *Results) {
	var pending []string
	for _, spec := range sorted(specs) {
		if _, known := results.Of(spec); !known && leftOut(spec) == "" {
			pending = append(pending, spec)
		}
	}
	if len(pending) == 0 {
		return
	}
	fmt.Fprint(b, "\n## Not run yet\n\n")
	for _, spec := range pending {
		fmt.Fprintf(b, "- `%s`\n", spec)
	}
}

// split splits a spec's name, "[Testpattern: PATTERN] GROUP REST", into its
// group and what it does, with the pattern.
func split(spec string) (group, rest string) {
	pattern, after, ok := strings.Cut(strings.TrimPrefix(spec, "[Testpattern: "), "] ")
	if !ok {
		return spec, ""
	}
	for strings.HasPrefix(after, "[") { // tags of the pattern
		_, next, ok := strings.Cut(after, "] ")
		if !ok {
			break
		}
		after = next
	}
	group, does, _ := strings.Cut(after, " ")
	return group, strings.TrimSpace(pattern) + ": " + does
}

func sorted(specs []string) []string {
	return slices.SortedFunc(slices.Values(specs), func(a, b string) int {
		groupA, restA := split(a)
		groupB, restB := split(b)
		if groupA != groupB {
			return strings.Compare(groupA, groupB)
		}
		return strings.Compare(restA, restB)
	})
}

// cell is text that no table's syntax is in.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
