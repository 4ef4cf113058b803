package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestExplain has the messages of the suite (k8s.io/kubernetes v1.36.3).
func TestExplain(t *testing.T) {
	for message, want := range map[string]string{
		`Driver "san-csi.io" does not support volume type "CSIInlineVolume" - skipping`:  "Inline ephemeral",
		`Driver "san-csi.io" does not support volume type "PreprovisionedPV" - skipping`: "outside of Kubernetes",
		`Driver san-csi.io doesn't support ntfs -- skipping`:                             "Filesystems other",
		`Driver "san-csi.io" does not support snapshot metadata`:                         "Snapshot metadata",
		`No SSH Key for provider skeleton: 'error getting SSH key'`:                      "SSH server",
		`volume type "DynamicPV" is not ephemeral`:                                       "the other kind",
		// Capabilities that the driver has explain nothing: the driver file has to declare them.
		`Driver "san-csi.io" does not support volume expansion - skipping`:       "",
		`Driver "san-csi.io" does not support group snapshots - skipping`:        "",
		`Driver san-csi.io doesn't specify stress test options -- skipping`:      "",
		`Driver "san-csi.io" has no configured VolumeAttributesClass - skipping`: "",
		`Driver san-csi.io doesn't support xfs -- skipping`:                      "",
	} {
		if got := explain(message); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%q is explained by %q, want %q", message, got, want)
		}
	}
}

func TestLeftOut(t *testing.T) {
	for spec, want := range map[string]bool{
		"[Testpattern: Dynamic PV (xfs)] [Slow] multiVolume [Slow] should concurrently access the single volume from pods on different node":    true,
		"[Testpattern: Dynamic PV (block volmode)] multiVolume [Slow] should concurrently access the single volume from pods on different node": false,
		"[Testpattern: Dynamic PV (xfs)] [Slow] multiVolume [Slow] should concurrently access the single volume from pods on the same node":     false,
		"[Testpattern: Dynamic PV (default fs)] seLinuxMount [Feature:SELinux] should add SELinux mount option":                                 true,
	} {
		if got := leftOut(spec) != ""; got != want {
			t.Errorf("%s: left out %t, want %t", spec, got, want)
		}
	}
}

// TestDriverFile holds the declared capabilities against the list of those that
// are missing: what is neither would be skipped without being noticed here.
func TestDriverFile(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", driverFile))
	if err != nil {
		t.Fatal(err)
	}
	var driver struct {
		DriverInfo struct {
			Name         string
			Capabilities map[string]bool
		}
		StorageClass, VolumeAttributesClass struct{ FromFile string }
	}
	if err := yaml.Unmarshal(raw, &driver); err != nil {
		t.Fatal(err)
	}
	for capability, declared := range driver.DriverInfo.Capabilities {
		if !declared {
			t.Errorf("%s is declared missing: say why in capability.go, and leave it out there", capability)
		}
	}
	if want := strings.TrimSuffix(strings.TrimPrefix(prefix, "External Storage [Driver: "), "] "); driver.DriverInfo.Name != want {
		t.Errorf("the driver is %q, specs are those of %q", driver.DriverInfo.Name, want)
	}
	for _, file := range []string{driver.StorageClass.FromFile, driver.VolumeAttributesClass.FromFile} {
		if _, err := os.Stat(filepath.Join("..", "..", file)); err != nil {
			t.Error(err)
		}
	}
}

func TestSmoke(t *testing.T) {
	seen := map[string]bool{}
	for _, spec := range Smoke() {
		switch {
		case seen[spec]:
			t.Errorf("twice: %s", spec)
		case skippedBeforehand(spec) || leftOut(spec) != "":
			t.Errorf("cannot pass: %s", spec)
		}
		seen[spec] = true
	}
	if len(seen) < 20 || len(seen) > 25 {
		t.Errorf("the short list has %d specs", len(seen))
	}
}
