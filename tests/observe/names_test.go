package observe

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// told is a metric in the reference: its name and type. A test of pkg/metrics
// holds that page against what is served.
var told = regexp.MustCompile("(?m)^\\| `(san_csi_[a-z_]+)` \\| ([a-z]+) \\|")

// named is a metric in a query.
var named = regexp.MustCompile(`\bsan_csi_[a-z_]+`)

// series are the names under which the metrics of the reference are stored.
func series(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, cells := range told.FindAllStringSubmatch(page(t, "metrics.md"), -1) {
		name, kind := cells[1], cells[2]
		if kind != "histogram" {
			found[name] = true
			continue
		}
		for _, part := range []string{"_bucket", "_sum", "_count"} {
			found[name+part] = true
		}
	}
	return found
}

// page is one of docs/.
func page(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestNames: alerts and dashboard name no metric that does not exist, and every
// metric is on the dashboard, but for those below.
func TestNames(t *testing.T) {
	exist, shown := series(t), map[string]bool{}
	rules, err := alerts()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range rules {
		for _, name := range named.FindAllString(a.Expr, -1) {
			if !exist[name] {
				t.Errorf("alert %s: %s does not exist", a.Alert, name)
			}
		}
	}
	drawn, err := panels()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range drawn {
		for _, q := range p.Targets {
			for _, name := range named.FindAllString(q.Expr, -1) {
				shown[name] = true
				if !exist[name] {
					t.Errorf("panel %q: %s does not exist", p.Title, name)
				}
			}
		}
	}
	left := map[string]bool{ // a sum of a histogram is drawn once; the rest says what another series says too
		"san_csi_array_call_duration_seconds_sum": true, "san_csi_array_call_duration_seconds_count": true,
		"san_csi_array_bytes_budget": true, "san_csi_array_bytes_provisioned": true, "san_csi_config_loaded_timestamp_seconds": true,
	}
	for name := range exist {
		if shown[name] == left[name] {
			t.Errorf("%s: on the dashboard %v, to be left out %v", name, shown[name], left[name])
		}
	}
}

// TestAnnotations: an alert says what is wrong, and where it is written what to do.
func TestAnnotations(t *testing.T) {
	rules, err := alerts()
	if err != nil {
		t.Fatal(err)
	}
	anchors := map[string]bool{}
	for line := range strings.Lines(page(t, "troubleshooting.md")) {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			anchors[anchor(title)] = true
		}
	}
	for _, a := range rules {
		for _, key := range []string{"summary", "description", "runbook_url"} {
			if a.Annotations[key] == "" {
				t.Errorf("%s has no %s", a.Alert, key)
			}
		}
		if s := a.Labels["severity"]; s != "warning" && s != "critical" {
			t.Errorf("%s: severity %q", a.Alert, s)
		}
		if _, to, _ := strings.Cut(a.Annotations["runbook_url"], "/docs/troubleshooting.md#"); !anchors[to] {
			t.Errorf("%s: its runbook %q is no section of docs/troubleshooting.md", a.Alert, to)
		}
		if !strings.Contains(page(t, "metrics.md"), "`"+a.Alert+"`") {
			t.Errorf("%s is not in docs/metrics.md", a.Alert)
		}
	}
}

// anchor is what GitHub makes of a heading.
func anchor(title string) string {
	title = regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
	return strings.ReplaceAll(title, " ", "-")
}
