package tracing

import "strconv"

// The request as OTLP's JSON has it: names in lowerCamelCase, ids in hex, 64-bit
// numbers as strings (opentelemetry-proto, trace/v1/trace.proto).
type (
	wireRequest struct {
		ResourceSpans []wireResourceSpans `json:"resourceSpans"`
	}
	wireResourceSpans struct {
		Resource   wireResource     `json:"resource"`
		ScopeSpans []wireScopeSpans `json:"scopeSpans"`
	}
	wireResource struct {
		Attributes []wireAttribute `json:"attributes"`
	}
	wireScopeSpans struct {
		Scope wireScope  `json:"scope"`
		Spans []wireSpan `json:"spans"`
	}
	wireScope struct {
		Name string `json:"name"`
	}
	wireSpan struct {
		TraceID    string          `json:"traceId"`
		SpanID     string          `json:"spanId"`
		ParentID   string          `json:"parentSpanId,omitempty"`
		Name       string          `json:"name"`
		Kind       int             `json:"kind"`
		Begin      string          `json:"startTimeUnixNano"`
		End        string          `json:"endTimeUnixNano"`
		Attributes []wireAttribute `json:"attributes"`
		Status     wireStatus      `json:"status"`
	}
	wireStatus struct {
		Code int `json:"code,omitempty"`
	}
	wireAttribute struct {
		Key   string    `json:"key"`
		Value wireValue `json:"value"`
	}
	wireValue struct {
		String string `json:"stringValue"`
	}
)

// Values of SpanKind and StatusCode.
const (
	kindServer  = 2
	kindClient  = 3
	statusUnset = 0
	statusError = 2
)

// The keys of a span: OpenTelemetry's own for calls, and ours.
const (
	keySystem = "rpc.system"
	keyMethod = "rpc.method"
	keyResult = "san_csi.result"
	keyArray  = "san_csi.array"
	keyVolume = "san_csi.volume"
)

func (t *Tracer) encode(spans []*Span) wireRequest {
	scope := wireScopeSpans{Scope: wireScope{Name: t.options.Service}}
	for _, s := range spans {
		scope.Spans = append(scope.Spans, s.encode())
	}
	return wireRequest{ResourceSpans: []wireResourceSpans{{
		Resource: wireResource{Attributes: attributes(
			"service.name", t.options.Service, "service.version", t.options.Version, "service.instance.id", t.options.Instance)},
		ScopeSpans: []wireScopeSpans{scope},
	}}}
}

func (s *Span) encode() wireSpan {
	w := wireSpan{
		TraceID: s.trace, SpanID: s.id, ParentID: s.parent, Name: s.Method, Kind: kindClient,
		Begin: strconv.FormatInt(s.begun.UnixNano(), 10), End: strconv.FormatInt(s.begun.Add(s.took).UnixNano(), 10),
		Attributes: attributes(keySystem, s.System, keyMethod, s.Method, keyResult, s.result, keyArray, s.Array, keyVolume, s.Volume),
		Status:     wireStatus{Code: statusUnset},
	}
	if s.Served {
		w.Kind = kindServer
	}
	if s.failed {
		w.Status.Code = statusError
	}
	return w
}

// attributes are those of the pairs of key and value that have a value.
func attributes(pairs ...string) []wireAttribute {
	all := []wireAttribute{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			all = append(all, wireAttribute{pairs[i], wireValue{pairs[i+1]}})
		}
	}
	return all
}
