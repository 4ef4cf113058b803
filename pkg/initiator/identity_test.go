package initiator

import (
	"encoding/hex"
	"slices"
	"testing"
)

// TestNames: a unit's names without those that are locally assigned; tgtd gives
// its units one of those besides.
func TestNames(t *testing.T) {
	for name, c := range map[string]struct {
		page string
		want []string
	}{
		"of tgtd":               {"0083002001030008300000010000000101030010" + "60000000000000000e00000000010001", []string{"60000000000000000e00000000010001"}},
		"locally assigned only": {"0083000c010300083000000100000001", nil},
		"empty":                 {"0083000401030000", nil},
		"two":                   {"0083001c0103000850000001000000010103000c600000000000000000000001", []string{"5000000100000001", "600000000000000000000001"}},
	} {
		page, err := hex.DecodeString(c.page)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parseDesignators(page); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
}
