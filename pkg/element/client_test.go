package element

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/utils/clock"
)

const secret = "correct horse battery"

// pauses is a clock whose timers fire at once and are remembered.
type pauses struct {
	clock.RealClock
	mu    sync.Mutex
	taken []time.Duration
}

func (p *pauses) NewTimer(d time.Duration) clock.Timer {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken = append(p.taken, d)
	return p.RealClock.NewTimer(0)
}

// array answers one call after another as scripted; the last answer stays.
type array struct {
	mu      sync.Mutex
	answers []http.HandlerFunc
	bodies  []string
}

func (a *array) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	answer := a.answers[min(len(a.bodies), len(a.answers)-1)]
	a.bodies = append(a.bodies, string(body))
	a.mu.Unlock()
	answer(w, r)
}

func (a *array) calls() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.bodies)
}

func result(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"id":1,"result":%s}`, text) }
}

func refusal(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"id":1,"error":{"code":500,"name":%q,"message":"it said %s"}}`, name, secret)
	}
}

func page(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func serve(t *testing.T, answers ...http.HandlerFunc) (*Client, *array, *pauses) {
	t.Helper()
	a := &array{answers: answers}
	server := httptest.NewUnstartedServer(a)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	p := &pauses{}
	c, err := New(Config{Endpoint: server.URL + "/json-rpc/12.5", Username: "admin", Password: secret,
		CAFile: caFile(t, server), Clock: p, Attempts: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, a, p
}

func caFile(t *testing.T, s *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCallOnTheWire(t *testing.T) {
	c, a, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if r.Method != http.MethodPost || r.URL.Path != "/json-rpc/12.5" || user != "admin" || password != secret {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		result(`{"volume":{"volumeID":7,"volumeAccessGroups":[],"attributes":{"n":1,"s":"x"},"totalSize":1073741824}}`)(w, r)
	})
	v, err := c.CreateVolume(t.Context(), CreateVolumeRequest{Name: "v", AccountID: 1, TotalSize: 1 << 30, QoS: &QoS{MaxIOPS: 100}})
	if err != nil || v.VolumeID != 7 || string(v.Attributes["n"]) != "1" {
		t.Fatalf("volume %+v, %v", v, err)
	}
	var sent struct {
		Method string
		ID     int64
		Params map[string]any
	}
	if err := json.Unmarshal([]byte(a.bodies[0]), &sent); err != nil {
		t.Fatal(err)
	}
	if sent.Method != "CreateVolume" || sent.ID == 0 || sent.Params["name"] != "v" || sent.Params["enable512e"] != false {
		t.Errorf("sent %s", a.bodies[0])
	}
	for _, absent := range []string{"attributes", "qosPolicyID", "minIOPS"} {
		if strings.Contains(a.bodies[0], absent) {
			t.Errorf("sent %s, with %s that was not given", a.bodies[0], absent)
		}
	}
}

func TestConnectionIsReused(t *testing.T) {
	var mu sync.Mutex
	from := map[string]bool{}
	c, _, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		from[r.RemoteAddr] = true
		mu.Unlock()
		result(`{}`)(w, r)
	})
	for range 5 {
		if _, err := c.GetLimits(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(from) != 1 {
		t.Errorf("5 calls came over %d connections", len(from))
	}
}

func TestAnswersThatAreErrors(t *testing.T) {
	token := base64.StdEncoding.EncodeToString([]byte("admin:" + secret))
	cases := map[string]struct {
		answer http.HandlerFunc
		target any
		words  []string
	}{
		"refusal":        {refusal("xVolumeIDDoesNotExist"), new(*Error), []string{"GetLimits", "xVolumeIDDoesNotExist", "500"}},
		"wrong password": {page(401, "text/html", "<h1>401 Unauthorized.</h1>"), new(*AuthError), []string{"admin", "401"}},
		"old version":    {page(404, "text/html", "<h1>404</h1>"), new(*VersionError), []string{"version", "/json-rpc/12.5"}},
		"proxy page":     {page(200, "text/html", "<html>"+secret+" "+token), new(*AnswerError), []string{"200", "text/html", "<html>"}},
		"forbidden":      {page(403, "text/plain", "no"), new(*AnswerError), []string{"403", `"no"`}},
		"redirect":       {page(302, "text/html", "moved"), new(*AnswerError), []string{"302"}},
		"cut off JSON":   {page(200, "application/json", `{"result":{"initiatorSecret":"`+secret), new(*AnswerError), []string{"GetLimits"}},
		"wrong type":     {result(`{"volumeSizeMin":"many"}`), new(*AnswerError), []string{"volumeSizeMin"}},
		"neither":        {page(200, "application/json", `{"id":1}`), new(*AnswerError), []string{"neither"}},
		"too long":       {page(200, "application/json", strings.Repeat(" ", 5000)), new(*AnswerError), []string{"4096"}},
		"long head":      {page(500, "text/plain", strings.Repeat("x", 4000)), new(*AnswerError), []string{"500", strings.Repeat("x", headBytes)}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c, a, _ := serve(t, tc.answer)
			c.maxAnswer = 4096
			_, err := c.GetLimits(t.Context())
			if !errors.As(err, tc.target) {
				t.Fatalf("error %T: %v", err, err)
			}
			for _, word := range tc.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("error %q does not name %q", err, word)
				}
			}
			if text := err.Error(); strings.Contains(text, secret) || strings.Contains(text, token) || len(text) > 700 {
				t.Errorf("error holds the password or is too long (%d bytes): %s", len(text), text)
			}
			if a.calls() != 1 {
				t.Errorf("called %d times; want once, it cannot get better", a.calls())
			}
		})
	}
}

func TestCertificateIsVerified(t *testing.T) {
	answer := result(`{}`)
	server := httptest.NewUnstartedServer(answer)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	c, err := New(Config{Endpoint: server.URL + "/json-rpc/12.5", Username: "admin", Password: secret})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.GetLimits(t.Context())
	var untrusted *CertificateError
	if !errors.As(err, &untrusted) || !strings.Contains(err.Error(), "caFile") {
		t.Fatalf("error %T: %v; want a *CertificateError that names caFile", err, err)
	}
	if Transient(err) {
		t.Error("an untrusted certificate counts as transient")
	}
}

func TestDeadlineEndsCall(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, _, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := c.GetLimits(ctx)
	var unreachable *UnreachableError
	if !errors.As(err, &unreachable) || !errors.Is(err, context.Canceled) {
		t.Fatalf("error %T: %v", err, err)
	}
	c.timeout = time.Millisecond
	c.attempts = 1
	if _, err = c.GetLimits(t.Context()); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1ms") {
		t.Fatalf("error %v; want one that names the 1ms of an attempt", err)
	}
}

func TestNewRefuses(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := Config{Endpoint: "https://mvip/json-rpc/12.5", Username: "admin", Password: secret}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		change func(*Config)
		word   string
	}{
		"no endpoint":      {func(c *Config) { c.Endpoint = "" }, "https://"},
		"http":             {func(c *Config) { c.Endpoint = "http://mvip/json-rpc/12.5" }, "https://"},
		"no version":       {func(c *Config) { c.Endpoint = "https://mvip/json-rpc/" }, "version"},
		"other path":       {func(c *Config) { c.Endpoint = "https://mvip/api" }, "json-rpc"},
		"password in URL":  {func(c *Config) { c.Endpoint = "https://admin:" + secret + "@mvip/json-rpc/12.5" }, "without user"},
		"no user":          {func(c *Config) { c.Username = "" }, "username"},
		"no password":      {func(c *Config) { c.Password = "" }, "password"},
		"no CA file":       {func(c *Config) { c.CAFile = "/none/such.pem" }, "/none/such.pem"},
		"empty CA file":    {func(c *Config) { c.CAFile = empty }, "no PEM certificate"},
		"negative timeout": {func(c *Config) { c.Timeout = -1 }, "negative"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			config := good
			tc.change(&config)
			_, err := New(config)
			if err == nil || !strings.Contains(err.Error(), tc.word) || strings.Contains(err.Error(), secret) {
				t.Fatalf("error %v; want one with %q and no password", err, tc.word)
			}
		})
	}
}

// TestAdopt: the next call goes to the new address with the new password.
func TestAdopt(t *testing.T) {
	old, _, _ := serve(t, page(http.StatusUnauthorized, "", ""))
	fresh, a, _ := serve(t, result(`{"minIOPS":50}`))
	if _, err := old.GetDefaultQoS(t.Context()); err == nil {
		t.Fatal("the old array took the call")
	}
	old.Adopt(fresh)
	if q, err := old.GetDefaultQoS(t.Context()); err != nil || q.MinIOPS != 50 || a.calls() != 1 || old.Endpoint() != fresh.Endpoint() {
		t.Errorf("%+v, %v after %d calls to %s", q, err, a.calls(), old.Endpoint())
	}
}

// TestObserve: each attempt is told, by a word of a bounded set.
func TestObserve(t *testing.T) {
	for want, answer := range map[string]http.HandlerFunc{
		"ok":          result(`{}`),
		"xUnknown":    refusal("xUnknown"),
		"unnamed":     refusal("something went wrong"),
		"auth":        page(http.StatusUnauthorized, "", ""),
		"version":     page(http.StatusNotFound, "", ""),
		"answer":      page(http.StatusOK, "text/html", "<html>"),
		"unreachable": hangUp,
	} {
		t.Run(want, func(t *testing.T) {
			c, a, _ := serve(t, answer)
			var seen []string
			c.observe = func(method string, err error, took time.Duration) {
				if method != "GetLimits" || took < 0 {
					t.Errorf("%s, %s", method, took)
				}
				seen = append(seen, Label(err))
			}
			_, _ = c.GetLimits(t.Context())
			if len(seen) != a.calls() || len(seen) == 0 || seen[0] != want {
				t.Errorf("told %q of %d attempts, want %q", seen, a.calls(), want)
			}
		})
	}
}
