package tracing

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

// collector takes OTLP over HTTP.
type collector struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	bodies []string
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{status: http.StatusOK}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	c.Config.Handler = c
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.bodies = append(c.bodies, string(body))
	w.WriteHeader(c.status)
	_, _ = io.WriteString(w, "{}")
}

// run makes spans with a tracer, and returns the requests that the collector got by
// the time it ended.
func run(t *testing.T, c *collector, clock *clocktesting.FakeClock, spans func(*Tracer)) []string {
	t.Helper()
	tracer, err := New(Options{Endpoint: c.URL + "/", Service: "san-csi", Version: "v1", Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tracer.Run(ctx)
	}()
	spans(tracer)
	stop()
	<-ended
	return c.bodies
}

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestSpansOnTheWire(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Unix(1000, 0))
	bodies := run(t, newCollector(t), clock, func(tracer *Tracer) {
		ctx, call := tracer.Start(t.Context(), Call{System: "grpc", Method: "DeleteVolume", Volume: "3eeu:1:0a1b2c3d", Served: true}, parent)
		clock.Step(time.Second)
		_, attempt := tracer.Start(ctx, Call{System: "jsonrpc", Method: "ListVolumes", Array: "a"}, "")
		clock.Step(time.Second)
		attempt.End("xDBConnectionLoss", true)
		call.End("OK", false)
	})
	if len(bodies) != 1 {
		t.Fatalf("%d requests, want 1", len(bodies))
	}
	var got wireRequest
	decoder := json.NewDecoder(strings.NewReader(bodies[0]))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil {
		t.Fatal(err)
	}
	spans := got.ResourceSpans[0].ScopeSpans[0].Spans
	if len(spans) != 2 {
		t.Fatalf("%d spans, want 2", len(spans))
	}
	attempt, call := spans[0], spans[1]
	if call.TraceID != "0af7651916cd43dd8448eb211c80319c" || call.ParentID != "b7ad6b7169203331" || call.Kind != kindServer ||
		call.Begin != "1000000000000" || call.End != "1002000000000" || call.Status.Code != statusUnset || len(call.SpanID) != 16 {
		t.Errorf("call %+v", call)
	}
	if attempt.TraceID != call.TraceID || attempt.ParentID != call.SpanID || attempt.SpanID == call.SpanID || attempt.Kind != kindClient ||
		attempt.Begin != "1001000000000" || attempt.Status.Code != statusError {
		t.Errorf("attempt %+v", attempt)
	}
	for _, text := range []string{
		`{"key":"service.name","value":{"stringValue":"san-csi"}}`, `{"key":"san_csi.array","value":{"stringValue":"a"}}`,
		`{"key":"rpc.method","value":{"stringValue":"ListVolumes"}}`, `{"key":"san_csi.result","value":{"stringValue":"xDBConnectionLoss"}}`,
	} {
		if !strings.Contains(bodies[0], text) {
			t.Errorf("no %s in %s", text, bodies[0])
		}
	}
	if n := strings.Count(bodies[0], `{"key":"san_csi.volume","value":{"stringValue":"3eeu:1:0a1b2c3d"}}`); n != 2 {
		t.Errorf("%d spans name the volume, want both", n)
	}
}

// TestCollectorDown: it costs spans, and no call waits for it.
func TestCollectorDown(t *testing.T) {
	c := newCollector(t)
	c.status = http.StatusServiceUnavailable
	tracer, err := New(Options{Endpoint: c.URL, Service: "san-csi"})
	if err != nil {
		t.Fatal(err)
	}
	for range waiting + 10 { // nobody sends them yet
		_, s := tracer.Start(t.Context(), Call{Method: "Probe"}, "")
		s.End("OK", false)
	}
	if len(tracer.ended) != waiting {
		t.Errorf("%d spans are waiting", len(tracer.ended))
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	tracer.Run(ctx)
	if len(c.bodies) == 0 {
		t.Error("nothing was sent")
	}
}

func TestParent(t *testing.T) {
	for text, taken := range map[string]bool{
		parent:        true,
		parent + "-x": true, // a later version may say more
		"":            false,
		"00-00000000000000000000000000000000-b7ad6b7169203331-01": false,
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01": false,
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01": false,
	} {
		if trace, _ := readParent(text); (trace != "") != taken {
			t.Errorf("%q: taken: %t", text, !taken)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, odd := range []string{"", "collector:4317", "grpc://collector:4317", "http://", "http://admin:secret@collector:4318"} {
		if _, err := New(Options{Endpoint: odd}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", odd, err)
		}
	}
}

// TestNoTracer makes no spans.
func TestNoTracer(t *testing.T) {
	var tracer *Tracer
	ctx, s := tracer.Start(t.Context(), Call{Method: "Probe"}, "")
	s.End("OK", false)
	tracer.Run(ctx)
	if ctx != t.Context() || s != nil {
		t.Error("a span was made")
	}
}
