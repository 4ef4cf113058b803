package e2e

import (
	"os"
	"strings"
	"testing"
)

func TestPage(t *testing.T) {
	const (
		stored  = "[Testpattern: Dynamic PV (xfs)] [Slow] volumes should store data"
		failed  = "[Testpattern: Dynamic PV (ext4)] volumes should allow exec of files on the volume"
		ext3    = "[Testpattern: Dynamic PV (ext3)] volumes should store data"
		selinux = "[Testpattern: Dynamic PV (default fs)] seLinuxMount [Feature:SELinux] Pod with RWO volume"
		group   = "[Testpattern:  (delete policy)] volumegroupsnapshottable [Feature:volumegroupsnapshot] VolumeGroupSnapshottable  should create snapshots"
		pending = "[Testpattern: Dynamic PV (ext4)] subPath should support existing directory"
	)
	results, _ := open(t,
		Result{Spec: stored, State: Passed, Seconds: 61.6}, Result{Spec: failed, State: Failed, Why: "no disk"},
		Result{Spec: group, State: Passed, Seconds: 120},
		Result{Spec: ext3, State: Skipped, Why: "Driver san-csi.io doesn't support ext3 -- skipping"})
	page := Page([]string{stored, failed, ext3, selinux, group, pending}, results)
	for _, want := range []string{
		"6 specs: 2 passed, 1 failed, 1 skipped, 1 left out, 1 not run yet.",
		"| volumes | result | s |\n|---|---|---|\n" +
			"| Dynamic PV (ext4): should allow exec of files on the volume | failed: no disk | 0 |\n" +
			"| Dynamic PV (xfs): should store data | passed | 62 |\n",
		"| volumegroupsnapshottable | result | s |\n|---|---|---|\n" +
			"| (delete policy): [Feature:volumegroupsnapshot] VolumeGroupSnapshottable  should create snapshots | passed | 120 |\n",
		"Filesystems other than ext4, xfs and btrfs. 1 specs:\n\n<details><summary>Specs</summary>\n\n- `" + ext3 + "`\n",
		"Nodes with SELinux, in this cluster. 1 specs:",
		"## Not run yet\n\n- `" + pending + "`\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

func TestPageNamesTheVersion(t *testing.T) {
	module, err := os.ReadFile("suite/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(module), "k8s.io/kubernetes "+kubernetes+"\n") {
		t.Errorf("the suite's module does not build %s", kubernetes)
	}
}
