package conformance

import (
	"slices"
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	e := Expectation{
		Skips:  map[string]string{"Sanitize.*": "not offered", "Read.Big": "too big"},
		Faults: map[string]string{"Status.One": "lba offset"},
		Tests:  4, Passed: 1,
	}
	good := []Test{
		{Name: "Read.Simple", Outcome: Passed}, {Name: "Read.Big", Outcome: Skipped},
		{Name: "Sanitize.Erase", Outcome: Skipped}, {Name: "Status.One", Outcome: Failed, Said: []string{"1. x.c:1 lba offset"}},
	}
	for _, tt := range []struct {
		name   string
		change func([]Test) []Test
		want   string // part of the only complaint
		counts Figures
	}{
		{"as expected", func(l []Test) []Test { return l }, "", Figures{Passed: 1, Skipped: 2, Faulty: 1}},
		{"skip not listed", func(l []Test) []Test { l[0].Outcome = Skipped; return append(l, Test{"Read.More", Passed, nil})[:5] }, "Read.Simple is skipped", Figures{Passed: 1, Skipped: 3, Faulty: 1}},
		{"listed skip passes", func(l []Test) []Test { l[1].Outcome = Passed; return l }, "Read.Big is listed", Figures{Passed: 2, Skipped: 1, Faulty: 1}},
		{"hang", func(l []Test) []Test { return append(l, Test{"TMF.Abort", Hung, nil}) }, "TMF.Abort hung", Figures{Passed: 1, Skipped: 2, Faulty: 1, Hung: 1}},
		{"failure", func(l []Test) []Test { return append(l, Test{"Write.Simple", Failed, nil}) }, "Write.Simple failed", Figures{Passed: 1, Skipped: 2, Faulty: 1, Failed: 1}},
		{"faulty test fails otherwise", func(l []Test) []Test { l[3].Said = append(l[3].Said, "2. x.c:9"); return l }, "Status.One failed", Figures{Passed: 1, Skipped: 2, Failed: 1}},
		{"too few", func(l []Test) []Test { return l[1:] }, "3 tests ran", Figures{Skipped: 2, Faulty: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list := slices.Clone(good)
			for i := range list {
				list[i].Said = slices.Clone(list[i].Said)
			}
			f, complaints := e.Judge(tt.change(list))
			if f != tt.counts {
				t.Errorf("figures %v, want %v", f, tt.counts)
			}
			said := strings.Join(complaints, "\n")
			if !strings.Contains(said, tt.want) || tt.want == "" && said != "" {
				t.Errorf("complaints %q, want %q", said, tt.want)
			}
		})
	}
}
