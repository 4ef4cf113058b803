//go:build observe

package observe

import (
	"os"
	"os/exec"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestAlerts has promtool play each alert's series.
func TestAlerts(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", rulesFile}, {"test", "rules", "alerts_test.yaml"}} {
		if out, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
}

// TestEveryAlertIsPlayed: each fires in one place of the file, and in another
// it does not.
func TestEveryAlertIsPlayed(t *testing.T) {
	raw, err := os.ReadFile("alerts_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tests []struct {
			Plays []struct {
				Name   string `json:"alertname"`
				Alerts []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		} `json:"tests"`
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, p := range test.Plays {
			if len(p.Alerts) > 0 {
				fires[p.Name] = true
			} else {
				silent[p.Name] = true
			}
		}
	}
	rules, err := alerts()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range rules {
		if !fires[a.Alert] || !silent[a.Alert] {
			t.Errorf("%s: fires %v, is silent %v: want both", a.Alert, fires[a.Alert], silent[a.Alert])
		}
	}
}
