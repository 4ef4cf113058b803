package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// open opens results that are kept in a file of the test's.
func open(t *testing.T, kept ...Result) (*Results, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "deep", "results.jsonl")
	results, err := OpenResults(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range kept {
		if err := results.Add(result); err != nil {
			t.Fatal(err)
		}
	}
	return results, path
}

func TestResultsAreKept(t *testing.T) {
	_, path := open(t,
		Result{Spec: "a", State: Failed, Why: "no disk"}, Result{Spec: "b", State: Passed, Seconds: 3},
		Result{Spec: "a", State: Passed, Seconds: 7})
	again, err := OpenResults(path)
	if err != nil {
		t.Fatal(err)
	}
	if a, ok := again.Of("a"); !ok || a.State != Passed || a.Seconds != 7 || a.Why != "" {
		t.Errorf("the latest of a is %+v, %t", a, ok)
	}
	if _, ok := again.Of("c"); ok {
		t.Error("c has a result")
	}
	n := again.Count([]string{"a", "b", "c"})
	if n[Passed] != 2 || n[""] != 1 {
		t.Errorf("counted %v", n)
	}
}

func TestResultsOfDamagedFile(t *testing.T) {
	_, path := open(t, Result{Spec: "a", State: Passed})
	if err := os.WriteFile(path, []byte("{\"spec\": \"a\"}\n{\"spec\":"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenResults(path); err == nil || !strings.Contains(err.Error(), path+":2") {
		t.Errorf("error %v does not name the line", err)
	}
}

func TestVerdict(t *testing.T) {
	const (
		sharedFilesystem = "[Testpattern: Dynamic PV (ext4)] multiVolume [Slow] should concurrently access the single volume from pods on different node"
		sharedBlock      = "[Testpattern: Dynamic PV (block volmode)] multiVolume [Slow] should concurrently access the single volume from pods on different node"
	)
	results, _ := open(t,
		Result{Spec: "good", State: Passed}, Result{Spec: "bad", State: Failed, Why: "no disk"},
		Result{Spec: "ext3", State: Skipped, Why: "Driver san-csi.io doesn't support ext3 -- skipping"},
		Result{Spec: "odd", State: Skipped, Why: "it is raining"})
	for _, row := range []struct {
		spec string
		want string // "" = no objection
	}{
		{"good", ""},
		{"ext3", ""},
		{sharedFilesystem, ""},
		{"bad", "failed: bad: no disk"},
		{"odd", "no missing capability explains the skip of odd: it is raining"},
		{"new", "not run: new"},
		{sharedBlock, "not run"},
	} {
		err := results.Verdict([]string{row.spec})
		if (err == nil) != (row.want == "") || (err != nil && !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s: %v, want %q", row.spec, err, row.want)
		}
	}
}
