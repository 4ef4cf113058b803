package main

import (
	"context"

	"google.golang.org/grpc/codes"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/tracing"
)

// newTracer is nil where no collector is named.
func newTracer(o *options) (*tracing.Tracer, error) {
	if o.tracingEndpoint == "" {
		return nil, nil
	}
	service := "san-csi-controller"
	if o.mode == modeNode {
		service = "san-csi-node"
	}
	return tracing.New(tracing.Options{Endpoint: o.tracingEndpoint, Service: service, Version: version, Instance: o.nodeName})
}

// traceCalls has each CSI call told; nil, and so without cost, without a tracer.
func traceCalls(t *tracing.Tracer) func(ctx context.Context, method, volume, traceparent string) (context.Context, func(codes.Code)) {
	if t == nil {
		return nil
	}
	return func(ctx context.Context, method, volume, traceparent string) (context.Context, func(codes.Code)) {
		ctx, s := t.Start(ctx, tracing.Call{System: "grpc", Method: method, Volume: volume, Served: true}, traceparent)
		return ctx, func(code codes.Code) { s.End(code.String(), code != codes.OK) }
	}
}

// traceArray has each attempt of a call to that array told.
func traceArray(t *tracing.Tracer, array string) func(ctx context.Context, method string) (context.Context, func(error)) {
	if t == nil {
		return nil
	}
	return func(ctx context.Context, method string) (context.Context, func(error)) {
		ctx, s := t.Start(ctx, tracing.Call{System: "jsonrpc", Method: method, Array: array}, "")
		return ctx, func(err error) { s.End(element.Label(err), err != nil) }
	}
}
