// Package observe holds the chart's alerts and dashboard against the driver's
// metrics: by their names and, with the build tag observe, with Debian's
// promtool, and with a Prometheus that has scraped a real driver.
package observe

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// root is the module's, from this package.
const root = "../.."

var (
	rulesFile     = filepath.Join(root, "charts/san-csi/files/rules.yaml")
	dashboardFile = filepath.Join(root, "charts/san-csi/files/dashboard.json")
)

// alert is one of the chart's.
type alert struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func alerts() ([]alert, error) {
	raw, err := os.ReadFile(rulesFile)
	if err != nil {
		return nil, err
	}
	var file struct {
		Groups []struct {
			Name  string  `json:"name"`
			Rules []alert `json:"rules"`
		} `json:"groups"`
	}
	if err := yaml.UnmarshalStrict(raw, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", rulesFile, err)
	}
	var all []alert
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all, nil
}

// panel is one of the dashboard's.
type panel struct {
	Title       string
	Type        string
	FieldConfig struct{ Defaults struct{ Unit string } }
	Targets     []struct{ Expr, LegendFormat string }
}

// panels are those that draw something.
func panels() ([]panel, error) {
	raw, err := os.ReadFile(dashboardFile)
	if err != nil {
		return nil, err
	}
	var d struct{ Panels []panel }
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, fmt.Errorf("%s: %w", dashboardFile, err)
	}
	var all []panel
	for _, p := range d.Panels {
		if p.Type != "row" {
			all = append(all, p)
		}
	}
	return all, nil
}
