// Package tracing is what the driver tells an OpenTelemetry collector: a span for
// each CSI call and each attempt of a call to an array. A span has names of
// methods, arrays and volumes, and how the call ended; parameters, which may hold
// secrets, have no place in it.
//
// It speaks OTLP over HTTP with JSON (opentelemetry.io/docs/specs/otlp) by itself.
package tracing

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"k8s.io/utils/clock"
)

// Options say where spans go, and whose they are.
type Options struct {
	Endpoint string // of the collector: http[s]://host:port, before /v1/traces
	Service  string // service.name
	Version  string // service.version
	Instance string // service.instance.id; may be empty
	Client   *http.Client
	Clock    clock.WithTicker // nil = the real one
}

// Tracer makes spans, and sends them while it runs. A nil Tracer makes none.
type Tracer struct {
	options Options
	url     string
	ended   chan *Span
}

// waiting bounds the spans that wait to be sent; more are dropped.
const waiting = 4096

// New checks the options; nothing is sent yet.
func New(o Options) (*Tracer, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		// It may hold a password, so it is not repeated.
		return nil, errors.New("collector: must be http[s]://host:port, without user or password")
	}
	if o.Client == nil {
		o.Client = &http.Client{}
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	return &Tracer{options: o, url: strings.TrimSuffix(o.Endpoint, "/") + "/v1/traces", ended: make(chan *Span, waiting)}, nil
}

// Call is what a span tells of its call.
type Call struct {
	System string // grpc, or jsonrpc
	Method string
	Array  string // the array's name in the configuration
	Volume string // its id or name; "" = that of the call that this one is part of
	Served bool   // by this process, not asked by it
}

// Span is a call under way.
type Span struct {
	Call
	tracer     *Tracer
	trace      string // 32 hex digits
	id, parent string // 16 hex digits; parent "" = none
	begun      time.Time
	took       time.Duration
	result     string
	failed     bool
}

type key struct{}

// Start begins a span as part of the one in the context, else of the caller's that
// its traceparent names, else of its own.
func (t *Tracer) Start(ctx context.Context, c Call, traceparent string) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	s := &Span{Call: c, tracer: t, id: random(8), begun: t.options.Clock.Now()}
	if above, ok := ctx.Value(key{}).(*Span); ok {
		s.trace, s.parent = above.trace, above.id
		if s.Volume == "" {
			s.Volume = above.Volume
		}
	} else if s.trace, s.parent = readParent(traceparent); s.trace == "" {
		s.trace = random(16)
	}
	return context.WithValue(ctx, key{}, s), s
}

// End ends the span with a short word for how the call ended.
func (s *Span) End(result string, failed bool) {
	if s == nil {
		return
	}
	s.took, s.result, s.failed = s.tracer.options.Clock.Since(s.begun), result, failed
	select {
	case s.tracer.ended <- s:
	default: // the collector does not keep up
	}
}

func random(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// parentPattern is a traceparent (W3C Trace Context §3.2).
var parentPattern = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}`)

// readParent is the trace and the span that a traceparent names, "" = none.
func readParent(traceparent string) (trace, span string) {
	m := parentPattern.FindStringSubmatch(traceparent)
	if m == nil || strings.Trim(m[1], "0") == "" || strings.Trim(m[2], "0") == "" {
		return "", ""
	}
	return m[1], m[2]
}
