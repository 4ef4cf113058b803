//go:build observe

package observe

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

const (
	prometheusAddress = "127.0.0.1:9090"
	// patience bounds the wait for something that has to come.
	patience = 2 * time.Minute
)

// prometheus is a running one.
type prometheus struct{ began time.Time }

// job is what a ServiceMonitor would make of a Service's port: the labels that
// the alerts go by.
func job(name, target, pod string) map[string]any {
	return map[string]any{"job_name": name, "static_configs": []any{map[string]any{
		"targets": []string{target}, "labels": map[string]string{"namespace": "san-csi", "endpoint": "metrics", "pod": pod},
	}}}
}

// startPrometheus scrapes the jobs each second, with the chart's alerts.
func startPrometheus(t *testing.T, jobs ...map[string]any) *prometheus {
	t.Helper()
	dir := t.TempDir()
	rules, err := filepath.Abs(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(map[string]any{
		"global":     map[string]string{"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
		"rule_files": []string{rules}, "scrape_configs": jobs,
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("prometheus", "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+prometheusAddress)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if said, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("prometheus said:\n%s", said)
		}
	})
	return &prometheus{began: time.Now()}
}

// ask calls the API and decodes its data into to.
func (p *prometheus) ask(ctx context.Context, path string, values url.Values, to any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+prometheusAddress+"/api/v1/"+path+"?"+values.Encode(), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s %v: %s", path, values, answer.Error)
	}
	return json.Unmarshal(answer.Data, to)
}

// line is a series of an answer.
type line struct {
	Metric map[string]string `json:"metric"`
	Values []sample          `json:"values"`
}

// sample is a moment, seconds since 1970, and the value then.
type sample struct{ At, Value float64 }

// UnmarshalJSON reads Prometheus' [moment, "value"].
func (s *sample) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &[]any{&s.At, &text}); err != nil {
		return err
	}
	var err error
	s.Value, err = strconv.ParseFloat(text, 64)
	return err
}

// over are the expression's series since the beginning.
func (p *prometheus) over(ctx context.Context, expr string) ([]line, error) {
	var data struct{ Result []line }
	err := p.ask(ctx, "query_range", url.Values{
		"query": {expr}, "step": {"1"}, "start": {unix(p.began)}, "end": {unix(time.Now())},
	}, &data)
	return data.Result, err
}

func unix(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// until waits until the expression gives something.
func (p *prometheus) until(t *testing.T, expr string) {
	t.Helper()
	p.await(t, func() string { return expr })
}

// hold waits until the expression has given something for so many seconds from
// now on.
func (p *prometheus) hold(t *testing.T, expr string, seconds int) {
	t.Helper()
	from := time.Now()
	p.await(t, func() string {
		return fmt.Sprintf("count_over_time((%s)[%ds:1s]) >= %d", expr, 1+int(time.Since(from).Seconds()), seconds)
	})
}

// await asks again and again until there is an answer.
func (p *prometheus) await(t *testing.T, expr func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		var data struct{ Result []json.RawMessage }
		err := p.ask(ctx, "query", url.Values{"query": {expr()}}, &data)
		if err == nil && len(data.Result) > 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s gives nothing: %v", expr(), err)
		}
	}
}
