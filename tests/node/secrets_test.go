//go:build guest

package node

import "testing"

// checkSecrets looks for the array's secrets in the logs of all parts so far.
func checkSecrets(t *testing.T, b *bench) {
	t.Helper()
	if err := b.lab.CheckSecrets(t.Context(), b.node); err != nil {
		t.Error(err)
	}
}
