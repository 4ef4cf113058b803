package conformance

import (
	"reflect"
	"strings"
	"testing"
)

// The forms in which the suite reports.
const sample = `    [SKIPPED] PERSISTENT RESERVE IN is not implemented.
found matching LU device identifier for all (2) paths

     CUnit - A unit testing framework for C - Version 2.1-3

Suite: Read10
  Test: Simple ...passed
  Test: BeyondEol ...    [SKIPPED] LUN is too big.
passed    [SKIPPED] said by the suite's end
    [SKIPPED] said by the suite's end

Suite: Write10
  Test: Simple ...    [FAILED] WRITE10 did not succeed
FAILED
    1. test_write10.c:12  - CU_ASSERT_EQUAL(ret,0)
    2. test_write10.c:15  - CU_ASSERT_EQUAL(ret,0)
Suite: iSCSITMF
  Test: AbortTask ...passed
  Test: LUNReset ...    waits
`

func TestRead(t *testing.T) {
	var suites []string
	got, err := Read(strings.NewReader(sample), func(s string) { suites = append(suites, s) })
	if err != nil {
		t.Fatal(err)
	}
	want := []Test{
		{"Read10.Simple", Passed, nil},
		{"Read10.BeyondEol", Skipped, []string{"[SKIPPED] LUN is too big."}},
		{"Write10.Simple", Failed, []string{
			"[FAILED] WRITE10 did not succeed",
			"1. test_write10.c:12  - CU_ASSERT_EQUAL(ret,0)", "2. test_write10.c:15  - CU_ASSERT_EQUAL(ret,0)",
		}},
		{"iSCSITMF.AbortTask", Passed, nil},
		{"iSCSITMF.LUNReset", Hung, []string{"waits"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	if want := []string{"Read10", "Write10", "iSCSITMF"}; !reflect.DeepEqual(suites, want) {
		t.Errorf("suites %q, want %q", suites, want)
	}
}

func TestWhatFollowsTheSummaryIsNoTestsOwn(t *testing.T) {
	text := "Suite: A\n  Test: B ...FAILED\n    1. x.c:1\nRun Summary:    Type  Total\n   tests 1\n"
	got, err := Read(strings.NewReader(text), func(string) {})
	if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0].Said, []string{"1. x.c:1"}) {
		t.Errorf("%q, %v", got, err)
	}
}
