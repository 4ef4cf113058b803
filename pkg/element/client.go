// Package element is a client of the Element JSON-RPC API: HTTPS POST, one
// JSON-RPC object each, HTTP Basic authentication.
//
// Sizes are bytes, IOPS are of 4 KiB. Answers are *Error where the array
// refuses a call; AuthError, VersionError, AnswerError, CertificateError and
// UnreachableError where no answer of the API came.
package element

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

const (
	defaultTimeout  = 30 * time.Second
	defaultAttempts = 6
	// defaultAnswerBytes holds the longest answer there is, ListVolumes of
	// 10000 volumes with attributes of 1000 bytes, several times over.
	defaultAnswerBytes = 64 << 20
	idleConnections    = 16
	// tellableBytes is room that an answer is given before it is there.
	tellableBytes = 1 << 20
	// keptBytes is the most room that is kept for the next answer.
	keptBytes = 64 << 10
)

// Config says which array and as whom.
type Config struct {
	Endpoint string // https://<MVIP>/json-rpc/<version>
	Username string // cluster admin
	Password string
	CAFile   string        // PEM certificates to trust; "" = the system's
	Timeout  time.Duration // of one attempt; 0 = 30 s
	Attempts int           // per call, with the first; 0 = 6
	Clock    clock.Clock   // for the pauses between attempts; nil = the real one
	Rate     float64       // attempts a second at most, as many at once; 0 = no bound
	// Observe is told of each attempt, its error and how long it took; may be nil.
	Observe func(method string, err error, took time.Duration)
	// Trace begins the trace of an attempt; what it returns ends it. May be nil.
	Trace func(ctx context.Context, method string) (context.Context, func(error))
	// Refused is told that the array does not take the credentials, so that they
	// are read again, for Adopt. It returns at once; may be nil.
	Refused func()
}

// Client calls one array. It is safe for concurrent use and keeps connections.
type Client struct {
	access    atomic.Pointer[access]
	timeout   time.Duration
	attempts  int
	maxAnswer int64
	clock     clock.Clock
	observe   func(method string, err error, took time.Duration)
	trace     func(ctx context.Context, method string) (context.Context, func(error))
	refused   func()
	rate      *rate.Limiter
	breaker   breaker
	retries   budget
	lastID    atomic.Int64
	rooms     sync.Pool // of *bytes.Buffer, for answers
}

// access is how the array is reached, and as whom.
type access struct {
	endpoint       string
	user, password string
	caFile         string
	http           *http.Client
	post           *http.Request // what every request has of its own address and header
}

// request is a call with that body. The header is shared: nobody changes it.
func (a *access) request(ctx context.Context, body []byte) *http.Request {
	r := a.post.WithContext(ctx)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return r
}

// New checks the configuration and loads the CA file; it does not call the array.
func New(c Config) (*Client, error) {
	if err := checkEndpoint(c.Endpoint); err != nil {
		return nil, err
	}
	if c.Username == "" || c.Password == "" {
		return nil, fmt.Errorf("array %s: username and password must both be given", c.Endpoint)
	}
	if c.Timeout < 0 || c.Attempts < 0 {
		return nil, fmt.Errorf("array %s: timeout %s and attempts %d must not be negative", c.Endpoint, c.Timeout, c.Attempts)
	}
	if c.Rate < 0 {
		return nil, fmt.Errorf("array %s: rate of %g calls a second must not be negative", c.Endpoint, c.Rate)
	}
	pool, err := loadPool(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("array %s: %w", c.Endpoint, err)
	}
	if c.Clock == nil {
		c.Clock = clock.RealClock{}
	}
	c.fillHooks()
	client := &Client{
		timeout: cmp.Or(c.Timeout, defaultTimeout), attempts: cmp.Or(c.Attempts, defaultAttempts),
		maxAnswer: defaultAnswerBytes, clock: c.Clock, observe: c.Observe, trace: c.Trace, refused: c.Refused,
		rate: newLimiter(c.Rate), breaker: breaker{clock: c.Clock},
	}
	post, err := http.NewRequest(http.MethodPost, c.Endpoint, nil) //nolint:noctx // each call gets its own
	if err != nil {
		return nil, fmt.Errorf("array %s: %w", c.Endpoint, err)
	}
	post.SetBasicAuth(c.Username, c.Password)
	post.Header.Set("Content-Type", "application/json")
	client.access.Store(&access{
		endpoint: c.Endpoint, user: c.Username, password: c.Password, caFile: c.CAFile,
		http: &http.Client{Transport: newTransport(pool), CheckRedirect: refuseRedirect}, post: post,
	})
	return client, nil
}

func (c *Config) fillHooks() {
	if c.Observe == nil {
		c.Observe = func(string, error, time.Duration) {}
	}
	if c.Trace == nil {
		c.Trace = func(ctx context.Context, _ string) (context.Context, func(error)) { return ctx, func(error) {} }
	}
}

// newLimiter lets as many calls through at once as in a second.
func newLimiter(perSecond float64) *rate.Limiter {
	if perSecond == 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
}

// Adopt goes on with the endpoint, the credentials and the CA of another
// client, for instance after a password was changed. Calls in flight end as
// they began.
func (c *Client) Adopt(fresh *Client) {
	old := c.access.Swap(fresh.access.Load())
	old.http.CloseIdleConnections()
	c.breaker.reset() // another address may well answer
}

// Close drops the idle connections.
func (c *Client) Close() { c.access.Load().http.CloseIdleConnections() }

// Endpoint is the URL of the API.
func (c *Client) Endpoint() string { return c.access.Load().endpoint }

func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.User != nil {
		// The URL may hold a password, so it is not repeated.
		return errors.New("endpoint: not a URL of the form https://<address>/json-rpc/<version> without user or password")
	}
	version, ok := strings.CutPrefix(u.Path, "/json-rpc/")
	if u.Scheme != "https" || u.Host == "" || !ok || strings.Trim(version, "/") == "" || u.RawQuery != "" {
		return fmt.Errorf("endpoint %.200q: must be https://<address>/json-rpc/<version>", endpoint)
	}
	return nil
}

func loadPool(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil // crypto/tls takes the system's
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("caFile: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("caFile %s: holds no PEM certificate", file)
	}
	return pool, nil
}

func newTransport(pool *x509.CertPool) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSClientConfig:     &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: idleConnections,
		IdleConnTimeout:     90 * time.Second,
	}
}

// refuseRedirect keeps the credentials from going where the array did not say.
func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

type request struct {
	Method string `json:"method"`
	Params any    `json:"params"`
	ID     int64  `json:"id"`
}

type response struct {
	Result any `json:"result"` // a pointer to where it goes
	Error  *struct {
		Code    int    `json:"code"`
		Name    string `json:"name"`
		Message string `json:"message"`
	} `json:"error"`
}

// attempt is one request and its answer, where the rate and the breaker let it be
// made.
func (c *Client) attempt(ctx context.Context, method string, params, result any) error {
	body, err := json.Marshal(request{Method: method, Params: params, ID: c.lastID.Add(1)})
	if err != nil {
		return fmt.Errorf("%s: encode parameters: %w", method, err)
	}
	if err := c.rate.Wait(ctx); err != nil {
		return c.notMade(method, &RateError{Endpoint: c.Endpoint(), PerSecond: float64(c.rate.Limit()), Err: err})
	}
	trial, err := c.breaker.enter(c.Endpoint())
	if err != nil {
		return c.notMade(method, err)
	}
	begun := c.clock.Now()
	traced, end := c.trace(ctx, method)
	err = c.exchange(traced, method, body, result)
	c.breaker.leave(ctx, begun, trial, err)
	c.observe(method, err, c.clock.Since(begun))
	end(err)
	return err
}

// notMade tells of an attempt that the array does not see.
func (c *Client) notMade(method string, err error) error {
	c.observe(method, err, 0)
	return fmt.Errorf("%s: %w", method, err)
}

func (c *Client) exchange(ctx context.Context, method string, body []byte, result any) error {
	a := c.access.Load()
	bounded, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	begun := c.clock.Now()
	resp, err := a.http.Do(a.request(bounded, body))
	if err != nil {
		return c.transportError(ctx, a, method, err)
	}
	defer func() { _ = resp.Body.Close() }()
	room, leave := c.room()
	defer leave()
	answer, err := readAnswer(resp, room, c.maxAnswer)
	if err != nil {
		return c.transportError(ctx, a, method, err)
	}
	if log := klog.FromContext(ctx).V(5); log.Enabled() {
		log.Info("Element call", "method", method, "status", resp.StatusCode, "bytes", len(answer), "duration", c.clock.Since(begun))
	}
	if int64(len(answer)) > c.maxAnswer {
		return a.answerError(method, resp, nil, fmt.Errorf("longer than %d bytes", c.maxAnswer))
	}
	return a.decode(method, resp, answer, result)
}

// room is a buffer for an answer, and what keeps it for the next one, unless it
// has become a large one. What is decoded of an answer holds none of it.
func (c *Client) room() (*bytes.Buffer, func()) {
	room, ok := c.rooms.Get().(*bytes.Buffer)
	if !ok {
		room = new(bytes.Buffer)
	}
	return room, func() {
		if room.Cap() <= keptBytes {
			room.Reset()
			c.rooms.Put(room)
		}
	}
}

// readAnswer reads the body, and one byte more than most where it is longer than
// that. It takes the array's word for its length, if that is no long one, so that
// not every answer is copied as it grows.
func readAnswer(resp *http.Response, answer *bytes.Buffer, most int64) ([]byte, error) {
	if told := resp.ContentLength; told > 0 && told <= tellableBytes {
		answer.Grow(int(told) + bytes.MinRead)
	}
	_, err := answer.ReadFrom(io.LimitReader(resp.Body, most+1))
	return answer.Bytes(), err
}

// decode tells the kinds of answer apart.
func (a *access) decode(method string, resp *http.Response, answer []byte, result any) error {
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return &AuthError{Endpoint: a.endpoint, User: a.user}
	case resp.StatusCode == http.StatusNotFound:
		return &VersionError{Endpoint: a.endpoint}
	case resp.StatusCode != http.StatusOK:
		return a.answerError(method, resp, answer, errors.New("status is not 200"))
	}
	if result == nil {
		result = new(json.RawMessage)
	}
	// A pointer to a pointer, nil until there is a result, so that answers are
	// decoded in one go: there are many, and some are long.
	to := reflect.New(reflect.TypeOf(result))
	r := response{Result: to.Interface()}
	if err := json.Unmarshal(answer, &r); err != nil {
		return a.answerError(method, resp, answer, err)
	}
	if r.Error != nil {
		return &Error{Method: method, Name: r.Error.Name, Message: a.redact(r.Error.Message), Code: r.Error.Code}
	}
	if to.Elem().IsNil() {
		return a.answerError(method, resp, answer, errors.New("neither result nor error"))
	}
	reflect.ValueOf(result).Elem().Set(to.Elem().Elem())
	return nil
}

// redact keeps the password out of texts that others wrote.
func (a *access) redact(s string) string {
	return strings.ReplaceAll(s, a.password, "[redacted]")
}
