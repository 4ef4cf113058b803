package e2e

import (
	"strings"
	"testing"
)

// suiteReport is a report as Ginkgo writes it, of a run of two specs: all specs of the
// suite are in it, those that were not asked for as skipped.
const suiteReport = `[{"SuiteDescription": "Kubernetes e2e suite", "SpecReports": [
 {"LeafNodeType": "SynchronizedBeforeSuite", "State": "passed"},
 {"ContainerHierarchyTexts": ["External Storage [Driver: san-csi.io]", "[Testpattern: Dynamic PV (ext4)] volumes", ""],
  "LeafNodeType": "It", "LeafNodeText": "should store data", "State": "passed", "RunTime": 41500000000, "EndTime": "2026-11-24T21:40:00Z"},
 {"ContainerHierarchyTexts": ["External Storage [Driver: san-csi.io]", "[Testpattern: Dynamic PV (ext3)] volumes"],
  "LeafNodeType": "It", "LeafNodeText": "should store data", "State": "skipped",
  "Failure": {"Message": "Driver san-csi.io doesn't support ext3 -- skipping"}},
 {"ContainerHierarchyTexts": ["External Storage [Driver: san-csi.io]", "[Testpattern: Dynamic PV (xfs)] volumes"],
  "LeafNodeType": "It", "LeafNodeText": "should store data", "State": "skipped"},
 {"ContainerHierarchyTexts": ["External Storage [Driver: san-csi.io]", "[Testpattern: Dynamic PV (ext4)] subPath"],
  "LeafNodeType": "It", "LeafNodeText": "should fail", "State": "timedout", "Failure": {"Message": "A spec\n  timed out."}},
 {"ContainerHierarchyTexts": ["External Storage [Driver: san-csi.io]", "[Testpattern: Dynamic PV (ext4)] subPath"],
  "LeafNodeType": "It", "LeafNodeText": "was stopped", "State": "interrupted", "Failure": {"Message": "interrupted by user"}},
 {"ContainerHierarchyTexts": ["[sig-apps] Deployment"], "LeafNodeType": "It", "LeafNodeText": "should roll", "State": "passed"}
]}]`

func TestReadReport(t *testing.T) {
	results, setup, err := readReport(strings.NewReader(suiteReport))
	if err != nil || setup != nil {
		t.Fatal(err, setup)
	}
	want := []struct {
		spec, why string
		state     State
		seconds   float64
	}{
		{"[Testpattern: Dynamic PV (ext4)] volumes should store data", "", Passed, 41.5},
		{"[Testpattern: Dynamic PV (ext3)] volumes should store data", "Driver san-csi.io doesn't support ext3 -- skipping", Skipped, 0},
		{"[Testpattern: Dynamic PV (ext4)] subPath should fail", "A spec timed out.", Failed, 0},
	}
	if len(results) != len(want) {
		t.Fatalf("%d results: %+v", len(results), results)
	}
	for i, w := range want {
		if got := results[i]; got.Spec != w.spec || got.Why != w.why || got.State != w.state || got.Seconds != w.seconds {
			t.Errorf("result %d is %+v, want %+v", i, got, w)
		}
	}
}

func TestReadReportOfFailedSetup(t *testing.T) {
	const failed = `[{"SpecReports": [{"LeafNodeType": "SynchronizedBeforeSuite", "State": "failed", "Failure": {"Message": "no nodes"}}]}]`
	results, setup, err := readReport(strings.NewReader(failed))
	if err != nil || len(results) != 0 || setup == nil || !strings.Contains(setup.Error(), "no nodes") {
		t.Errorf("results %v, setup %v, error %v", results, setup, err)
	}
}

func TestReadReportCutOff(t *testing.T) {
	if _, _, err := readReport(strings.NewReader(suiteReport[:500])); err == nil {
		t.Error("no error")
	}
}
