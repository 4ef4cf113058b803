package tracing

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/klog/v2"
)

const (
	// batch is how many spans go in one request at most.
	batch = 512
	// interval is how long a span waits for others at most.
	interval = 5 * time.Second
	// exportTimeout bounds one request.
	exportTimeout = 10 * time.Second
	// flushTimeout bounds the last request of a process that ends.
	flushTimeout = 3 * time.Second
)

// Run sends the spans that have ended until the context ends, and then those that
// are left. A collector that does not answer costs spans, never a call's time.
func (t *Tracer) Run(ctx context.Context) {
	if t == nil {
		return
	}
	tick := t.options.Clock.NewTicker(interval)
	defer tick.Stop()
	var spans []*Span
	reached := true
	send := func(ctx context.Context, timeout time.Duration) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		err := t.export(ctx, spans)
		if err != nil && reached {
			klog.FromContext(ctx).Error(err, "spans are lost until the collector takes them again", "spans", len(spans))
		}
		reached, spans = err == nil, nil
	}
	for {
		select {
		case s := <-t.ended:
			if spans = append(spans, s); len(spans) >= batch {
				send(ctx, exportTimeout)
			}
		case <-tick.C():
			send(ctx, exportTimeout)
		case <-ctx.Done():
			for len(t.ended) > 0 && len(spans) < waiting {
				spans = append(spans, <-t.ended)
			}
			send(context.WithoutCancel(ctx), flushTimeout)
			return
		}
	}
}

func (t *Tracer) export(ctx context.Context, spans []*Span) error {
	if len(spans) == 0 {
		return nil
	}
	body, err := json.Marshal(t.encode(spans))
	if err != nil {
		return fmt.Errorf("encode %d spans: %w", len(spans), err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("collector %s: %w", t.url, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := t.options.Client.Do(req)
	if err != nil {
		return fmt.Errorf("collector %s: %w", t.url, err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)); err != nil {
		return fmt.Errorf("collector %s: %w", t.url, err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("collector %s: status %d", t.url, resp.StatusCode)
	}
	return nil
}
