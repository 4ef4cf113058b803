//go:build cluster

package cluster

import (
	"crypto/rand"
	"testing"
)

// testCredentialsRotated: the array's password is changed, and then the chart's value. In
// between a claim says why it is not provisioned; afterwards it is, by controllers
// that were not restarted. The data path notices nothing.
func testCredentialsRotated(t *testing.T, b *bench) {
	writers := b.writers(t, "rotated")
	before := b.driverState(t)
	if err := b.Lab.ChangePassword(t.Context(), rand.Text()); err != nil {
		t.Fatal(err)
	}
	b.apply(t, claim("locked-out", NowClass))
	b.refused(t, "locked-out", "array", "(401)")
	if err := b.InstallDriver(t.Context()); err != nil { // the Secret alone is another
		t.Fatal(err)
	}
	b.must(t, "wait", "--for=jsonpath={.status.phase}=Bound", "pvc/locked-out", stepFlag)
	if now := b.driverState(t); now != before {
		t.Errorf("pods of the driver were\n%s\nand are\n%s", before, now)
	}
	b.remove(t, "", "locked-out")
	writers.end(t)
	b.checkGone(t)
}
