//go:build conformance

package conformance

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"
)

const (
	suite = "iscsi-test-cu"
	// suiteTime is how long one suite may take; all 51 take less than a minute.
	suiteTime = 2 * time.Minute

	initiator1 = "iqn.2026-01.io.san-csi.test:conformance-1"
	initiator2 = "iqn.2026-01.io.san-csi.test:conformance-2"
)

// ensureSuite installs iscsi-test-cu where it is missing and root asks.
func ensureSuite(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath(suite); err == nil {
		return
	}
	if os.Geteuid() != 0 {
		t.Fatalf("%s is missing; as root: apt-get install libiscsi-bin", suite)
	}
	t.Log("installing Debian's libiscsi-bin with apt-get")
	install := []string{"install", "--yes", "--no-install-recommends", "libiscsi-bin"}
	for _, args := range [][]string{install, {"update"}, install} {
		cmd := exec.CommandContext(t.Context(), "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		out, err := cmd.CombinedOutput()
		if err == nil && args[0] == "install" {
			return
		}
		t.Logf("apt-get %s: %v\n%s", args[0], err, out)
	}
	t.Fatalf("%s could not be installed", suite)
}

func TestConformance(t *testing.T) {
	ensureSuite(t)
	a := startArray(t)
	e512 := a.createVolume("e512", true)
	k4 := a.createVolume("k4", false)
	readOnly := a.createVolume("read-only", true)
	a.call("ModifyVolume", map[string]any{"volumeID": readOnly.VolumeID, "access": "readOnly"}, nil)

	want512e := Expectation{Skips: skips(nil), Faults: unmapSingle(), Tests: allTests, Passed: atLeast}
	want4K := Expectation{Skips: skips(onePerPhysical()), Tests: allTests, Passed: atLeast}
	for _, run := range []struct {
		name   string
		volume func() volume
		tests  string
		want   Expectation
	}{
		{"512e", e512.get, "ALL", want512e},
		{"4K", k4.get, "ALL", want4K},
		{"clone of 512e", a.cloneOf(e512), "ALL", want512e},
		{"clone of 4K", a.cloneOf(k4), "ALL", want4K},
		{"512e, cloned from", e512.get, "ALL", want512e},
		{"read-only", readOnly.get, "ALL.ReadOnly", Expectation{Tests: 1, Passed: 1}},
	} {
		t.Run(run.name, func(t *testing.T) {
			v := run.volume()
			a.admit(v)
			tests := runSuite(t, run.tests, a.urls(v))
			figures, complaints := run.want.Judge(tests)
			t.Logf("%s -t %s: %s", suite, run.tests, figures)
			for _, c := range complaints {
				t.Error(c)
			}
		})
	}
}

// runSuite runs the suite. One of its suites that takes too long ends it.
func runSuite(t *testing.T, tests string, urls []string) []Test {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// Unbuffered, so that what was said last is what hangs.
	args := []string{"-o0", "-e0", suite, "-t", tests, "-d", "-v", "-i", initiator1, "-I", initiator2}
	cmd := exec.CommandContext(ctx, "stdbuf", append(args, urls...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(suiteTime, cancel)
	defer watchdog.Stop()
	results, err := Read(out, func(string) { watchdog.Reset(suiteTime) })
	if err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Logf("%s ended: %v", suite, err)
	}
	return results
}
