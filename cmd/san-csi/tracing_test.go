package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/metadata"
)

// otlpSpan is what the test reads of a span.
type otlpSpan struct {
	TraceID, SpanID, ParentSpanID, Name string
	Attributes                          []struct {
		Key   string
		Value struct{ StringValue string }
	}
}

func (s otlpSpan) attribute(key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.StringValue
		}
	}
	return ""
}

// TestTraces: each CSI call is a span within its caller's, each array call one
// within that, and neither secrets nor parameters are in them.
func TestTraces(t *testing.T) {
	var mu sync.Mutex
	var bodies []string
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		bodies = append(bodies, string(body))
	}))
	t.Cleanup(collector.Close)
	h := newHouse(t)
	client, stop := h.serve(t, "west", filepath.Join(t.TempDir(), "csi.sock"), func(o *options) { o.tracingEndpoint = collector.URL })
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", fmt.Sprintf("00-%s-%s-01", trace, parent))
	made, err := client.CreateVolume(ctx, &csi.CreateVolumeRequest{
		Name: "pvc-1", CapacityRange: &csi.CapacityRange{RequiredBytes: 1 << 30}, VolumeCapabilities: []*csi.VolumeCapability{block},
		Parameters: map[string]string{"minIOPS": "4321", "maxIOPS": "8765"}, Secrets: map[string]string{"key": "hunter2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	id := made.GetVolume().GetVolumeId()
	if _, err := client.DeleteVolume(ctx, &csi.DeleteVolumeRequest{VolumeId: id}); err != nil {
		t.Fatal(err)
	}
	stop()

	text := strings.Join(bodies, "\n")
	for _, word := range []string{"secret-1", "hunter2", "4321", "8765"} {
		if regexp.MustCompile(`\b` + word + `\b`).MatchString(text) { // ids and times hold any digits
			t.Errorf("the spans hold %q", word)
		}
	}
	var spans []otlpSpan
	for _, body := range bodies {
		var request struct {
			ResourceSpans []struct{ ScopeSpans []struct{ Spans []otlpSpan } }
		}
		if err := json.Unmarshal([]byte(body), &request); err != nil {
			t.Fatal(err)
		}
		spans = append(spans, request.ResourceSpans[0].ScopeSpans[0].Spans...)
	}
	for _, want := range []struct{ call, volume, attempt string }{{"CreateVolume", "pvc-1", "CreateVolume"}, {"DeleteVolume", id, "PurgeDeletedVolume"}} {
		at := slices.IndexFunc(spans, func(s otlpSpan) bool {
			return s.Name == want.call && s.ParentSpanID == parent && s.TraceID == trace && s.attribute("san_csi.volume") == want.volume && s.attribute("san_csi.result") == "OK"
		})
		if at < 0 {
			t.Fatalf("no span of the call %s in %+v", want.call, spans)
		}
		if !slices.ContainsFunc(spans, func(s otlpSpan) bool {
			return s.Name == want.attempt && s.ParentSpanID == spans[at].SpanID && s.TraceID == trace && s.attribute("san_csi.array") == "a" &&
				s.attribute("san_csi.volume") == want.volume && s.attribute("san_csi.result") == "ok"
		}) {
			t.Errorf("no span of the array's %s within the call %s in %+v", want.attempt, want.call, spans)
		}
	}
}
