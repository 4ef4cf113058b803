//go:build cluster

package cluster

import (
	"testing"
)

// testEvaluation: the chart's own array, for those who have no SAN, carries the
// volume of the chart's own test.
func testEvaluation(t *testing.T, b *bench) {
	if err := b.UninstallDriver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.InstallEvaluation(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, err := b.TestRelease(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("helm test: %s", out)
	b.noVolumes(t)
}
