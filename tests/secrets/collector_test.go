package secrets

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

func TestCollector(t *testing.T) {
	s, err := New(map[string]string{"password": secret})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		bodies []string
		want   string // "" = nothing is found
	}{
		"no spans":    {nil, "no span came"},
		"clean spans": {[]string{`{"name":"CreateVolume"}`, `{"name":"DeleteVolume"}`}, ""},
		"a secret":    {[]string{`{"name":"CreateVolume"}`, `{"name":"correct \"horse\" \u003cbattery\u003e/+"}`}, ":2: holds the password as JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			collector, err := Collect("127.0.0.1:0", filepath.Join(t.TempDir(), "spans"))
			if err != nil {
				t.Fatal(err)
			}
			defer collector.Close()
			for _, body := range c.bodies {
				resp, err := http.Post(collector.Endpoint()+"/v1/traces", "application/json", strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				if resp.Body.Close(); resp.StatusCode != http.StatusOK {
					t.Fatal(resp.Status)
				}
			}
			err = collector.Check(s)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("found %v; want %q", err, c.want)
			}
		})
	}
}
