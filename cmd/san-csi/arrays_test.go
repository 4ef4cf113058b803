package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/san-csi/san-csi/pkg/config"
	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/metrics"
)

// mvip answers who it is to whoever has the password that it has now.
type mvip struct {
	*httptest.Server
	id       string
	password atomic.Value
}

func newMVIP(t *testing.T, id, password string) *mvip {
	m := &mvip{id: id}
	m.password.Store(password)
	m.Server = httptest.NewTLSServer(m)
	t.Cleanup(m.Close)
	m.Config.Handler = m
	return m
}

func (m *mvip) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, password, _ := r.BasicAuth(); password != m.password.Load() {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	fmt.Fprintf(w, `{"result":{"clusterInfo":{"uniqueID":%q,"name":"n","svip":"127.0.0.1"}}}`, m.id)
}

// entry is an entry of the arrays' file, with the changes made to its text.
func (m *mvip) entry(t *testing.T, name, password string, changes ...string) string {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(changes...).Replace(fmt.Sprintf(`
- name: %s
  driver: element
  endpoint: %s/json-rpc/12.5
  username: admin
  password: %s
  caFile: %s
  account: k8s
  labels: {tier: fast}
  capacityIOPS: 1000
`, name, m.URL, password, ca))
}

func parse(t *testing.T, entries ...string) *config.Config {
	t.Helper()
	c, err := config.Parse([]byte("arrays:" + strings.Join(entries, "")))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (a *arrays) names() string {
	var names []string
	for _, m := range a.fleet.Members() {
		if m.Leaving {
			m.Name += " (leaving)"
		}
		names = append(names, m.Name)
	}
	return strings.Join(names, ", ")
}

// metricsOf is what Prometheus would read.
func metricsOf(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	text, err := io.ReadAll(w.Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d, %v", w.Code, err)
	}
	return string(text)
}

func TestReload(t *testing.T) {
	one, two, other := newMVIP(t, "aaaa", "secret-1"), newMVIP(t, "bbbb", "secret-b"), newMVIP(t, "cccc", "secret-1")
	first := one.entry(t, "a", "secret-1")
	m := metrics.New("test", true)
	a, err := openArrays(parse(t, first), "east", &options{}, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	answers := func(when string, want bool) {
		t.Helper()
		array := a.open["a"].array
		array.Recheck()
		if _, err := array.Identity(t.Context()); (err == nil) != want {
			t.Errorf("%s: array a: %v", when, err)
		}
	}
	answers("at the start", true)
	kept := a.fleet.Members()[0]

	one.password.Store("secret-2")
	answers("with the old password", false)
	a.reload(parse(t, one.entry(t, "a", "secret-2", "1000", "2000", "fast", "slow")), nil)
	answers("with the new password", true)
	if now := a.fleet.Members()[0]; now.Array != kept.Array || now.Ledger != kept.Ledger || now.Labels["tier"] != "slow" || now.Budget.CapacityIOPS != 2000 {
		t.Errorf("member %+v, want the same array with new settings", now)
	}

	for name, file := range map[string]*config.Config{
		"another account":     parse(t, one.entry(t, "a", "secret-2", "account: k8s", "account: other"), two.entry(t, "b", "secret-b")),
		"another array's id":  parse(t, one.entry(t, "a", "secret-2", "account: k8s", "account: k8s\n  clusterID: zzzz"), two.entry(t, "b", "secret-b")),
		"a CA that is no CA":  parse(t, two.entry(t, "b", "secret-b"), one.entry(t, "a", "secret-3", "ca.pem", "no.pem")),
		"a CA of the new one": parse(t, one.entry(t, "a", "secret-3"), two.entry(t, "b", "secret-b", "ca.pem", "no.pem")),
	} {
		a.reload(file, nil)
		if a.names() != "a" || a.refused == "" {
			t.Errorf("%s: taken, there are %s now", name, a.names())
		}
		answers(name, true)
	}
	refused := strings.Count(metricsOf(t, m), "\n")
	a.reload(nil, fmt.Errorf("not a document"))
	a.reload(nil, fmt.Errorf("not a document")) // is told once
	if text := metricsOf(t, m); !strings.Contains(text, `san_csi_config_reloads_total{result="refused"} 5`) || !strings.Contains(text, "san_csi_config_valid 0") ||
		strings.Count(text, "\n") != refused {
		t.Errorf("metrics:\n%s", text)
	}

	a.reload(parse(t, two.entry(t, "b", "secret-b"), one.entry(t, "a", "secret-2")), nil)
	if a.names() != "b, a" || a.refused != "" {
		t.Errorf("there are %s, refused %q", a.names(), a.refused)
	}
	if text := metricsOf(t, m); !strings.Contains(text, "san_csi_config_valid 1") || strings.Contains(text, "secret-") {
		t.Errorf("metrics:\n%s", text)
	}

	a.reload(parse(t, two.entry(t, "b", "secret-b")), nil)
	if a.names() != "b, a (leaving)" {
		t.Errorf("there are %s; a was never read, so it must stay", a.names())
	}
	answers("leaving", true)
	a.reload(parse(t, other.entry(t, "a", "secret-1"), two.entry(t, "b", "secret-b")), nil)
	answers("at an address where another array answers", false)
	if a.names() != "a, b" {
		t.Errorf("there are %s", a.names())
	}
}

// TestReloadOfTheSame is no change.
func TestReloadOfTheSame(t *testing.T) {
	one := newMVIP(t, "aaaa", "x")
	entry := one.entry(t, "a", "x")
	m := metrics.New("test", true)
	a, err := openArrays(parse(t, entry), "east", &options{}, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	before := a.open["a"]
	a.reload(parse(t, entry), nil)
	if a.open["a"] != before || strings.Contains(metricsOf(t, m), "reloads_total") {
		t.Error("the same file was taken for a change")
	}
}

// TestRotatedPassword: a call that the array refuses has the Secret read again,
// and goes on with what is there now.
func TestRotatedPassword(t *testing.T) {
	one := newMVIP(t, "aaaa", "secret-1")
	password, file := filepath.Join(t.TempDir(), "password"), filepath.Join(t.TempDir(), "arrays.yaml")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(password, "secret-1")
	write(file, "arrays:"+one.entry(t, "a", "x", "password: x", "passwordFile: "+password))
	first, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	a, err := openArrays(first, "east", &options{}, metrics.New("test", true), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- config.Watch(ctx, file, a.look, a.reload) }()
	array := a.open["a"].array
	for _, now := range []string{"secret-2", "secret-3"} {
		write(password, now)
		one.password.Store(now)
		array.Recheck()
		if _, err := array.Identity(t.Context()); err != nil {
			t.Errorf("after a rotation: %v", err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestRotatedCA: another CA in the file that the arrays' file names is taken over,
// though the latter says what it said before.
func TestRotatedCA(t *testing.T) {
	one := newMVIP(t, "aaaa", "secret-1")
	entry := one.entry(t, "a", "secret-1")
	ca := parse(t, entry).Arrays[0].CAFile
	right, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ca, otherCA(t), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := openArrays(parse(t, entry), "east", &options{}, metrics.New("test", true), nil)
	if err != nil {
		t.Fatal(err)
	}
	array := a.open["a"].array
	var untrusted *element.CertificateError
	if _, err := array.Identity(t.Context()); !errors.As(err, &untrusted) {
		t.Fatalf("with the CA of another: %v", err)
	}
	if err := os.WriteFile(ca, right, 0o600); err != nil {
		t.Fatal(err)
	}
	a.reload(parse(t, entry), nil)
	if _, err := array.Identity(t.Context()); err != nil {
		t.Errorf("with its own CA: %v", err)
	}
}

// otherCA is a certificate that signed nothing.
func otherCA(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
