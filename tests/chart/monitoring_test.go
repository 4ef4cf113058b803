//go:build chart

package chart

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/san-csi/san-csi/tests/chart/helm"
)

// TestRules: with other names the rules watch the Services that the chart makes.
func TestRules(t *testing.T) {
	m := render(t, "secret", "controller.enableMetrics=true", "node.enableMetrics=true", "prometheusRule.forceEnable=true",
		`prometheusRule.runbook="https://wiki.example.com/san"`, `fullnameOverride="other"`)
	rules := custom(m, "PrometheusRule")
	if len(rules) != 1 {
		t.Fatalf("%d PrometheusRules, want 1", len(rules))
	}
	text := fmt.Sprint(rules[0].Object["spec"])
	for _, service := range all[*corev1.Service](m) {
		if !strings.Contains(text, fmt.Sprintf("job=%q", service.Name)) {
			t.Errorf("no rule watches job %s", service.Name)
		}
	}
	for _, absent := range []string{`job="san-csi-`, "github.com"} {
		if strings.Contains(text, absent) {
			t.Errorf("%s is still in the rules", absent)
		}
	}
	if !strings.Contains(text, "https://wiki.example.com/san#paths-are-missing") || !strings.Contains(text, "{{ $labels.instance }}") {
		t.Errorf("runbooks or Prometheus' own braces are lost in\n%s", text)
	}
	for _, off := range []string{"controller.enableMetrics=false", "prometheusRule.enabled=false", "prometheusRule.forceEnable=false"} {
		if n := len(custom(render(t, "full", off), "PrometheusRule")); n != 0 {
			t.Errorf("%s: %d PrometheusRules", off, n)
		}
	}
}

// custom are the objects of a kind that comes with a CRD.
func custom(m manifest, kind string) []*unstructured.Unstructured {
	var found []*unstructured.Unstructured
	for _, o := range all[*unstructured.Unstructured](m) {
		if o.GetKind() == kind {
			found = append(found, o)
		}
	}
	return found
}

// TestDashboard: Grafana gets the file as it is.
func TestDashboard(t *testing.T) {
	root, err := helm.Root()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(root, helm.Chart, "files", "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	found := one[*corev1.ConfigMap](t, render(t, "full", `dashboard.namespace="monitoring"`), "san-csi-dashboard")
	if got := found.Data["san-csi.json"]; strings.TrimSpace(got) != strings.TrimSpace(string(want)) {
		t.Error("the dashboard in the ConfigMap is not the file's")
	}
	if found.Namespace != "monitoring" || found.Labels["grafana_dashboard"] != "1" || found.Annotations["grafana_folder"] != "Storage" {
		t.Errorf("%+v", found.ObjectMeta)
	}
}
