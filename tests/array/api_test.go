//go:build guest

package array

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/san-csi/san-csi/tests/guest"
)

// api calls the array by its own API, as a client that is not the driver's.
type api struct {
	client             *http.Client
	url                string
	Username, Password string
}

func newAPI(t *testing.T, a *guest.ArrayProcess) *api {
	t.Helper()
	pem, err := os.ReadFile(a.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(a.CredentialsFile())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	// A connection for each call: the array is killed in between.
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}
	c := &api{client: &http.Client{Transport: transport}, url: "https://" + a.APIAddress() + "/json-rpc/12.5"}
	if err := yaml.Unmarshal(raw, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// call decodes the result of a method into out.
func (c *api) call(ctx context.Context, method string, params map[string]any, out any) error {
	body, err := json.Marshal(map[string]any{"method": method, "params": params, "id": 1})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth(c.Username, c.Password)
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct{ Result, Error json.RawMessage }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if answer.Error != nil {
		return fmt.Errorf("%s: %s", method, answer.Error)
	}
	return json.Unmarshal(answer.Result, out)
}

// session is what the test looks at of a session.
type session struct {
	VolumeID       int64
	TargetIP       string
	Authentication struct{ ChapAlgorithm, Direction string }
}

func (c *api) sessions(ctx context.Context) ([]session, error) {
	var out struct{ Sessions []session }
	err := c.call(ctx, "ListISCSISessions", nil, &out)
	return out.Sessions, err
}
