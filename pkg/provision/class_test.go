package provision

import (
	"strings"
	"testing"
)

// TestUnknownParameters: a refusal says what would be known, also where nothing is.
func TestUnknownParameters(t *testing.T) {
	for want, known := range map[string][]string{
		`parameter deletionPolicy: value "Retain": must be left out: such a class has no parameters`: nil,
		`parameter deletionPolicy: value "Retain": must be one of a, b`:                              {"b", "a"},
		"": {"deletionPolicy"},
	} {
		err := refuseUnknown(map[string]string{"deletionPolicy": "Retain", kubernetesPrefix + "pvc/name": "p"}, known)
		if (err == nil) != (want == "") || (err != nil && !strings.HasSuffix(err.Error(), want)) {
			t.Errorf("known %q: %v, want %q", known, err, want)
		}
	}
}
