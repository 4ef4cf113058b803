package driver

import (
	"context"
	"path"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// watchers are the interceptors of those who watch the calls.
func (o Options) watchers() []grpc.UnaryServerInterceptor {
	var all []grpc.UnaryServerInterceptor
	if o.Observe != nil {
		all = append(all, observe(o.Observe))
	}
	if o.Trace != nil {
		all = append(all, trace(o.Trace))
	}
	return all
}

// observe tells of each call by its method's own name.
func observe(tell func(method, code string, took time.Duration)) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		start := time.Now()
		resp, err := next(ctx, req)
		tell(path.Base(info.FullMethod), status.Code(err).String(), time.Since(start))
		return resp, err
	}
}

// trace begins and ends the trace of each call. Of its parameters it tells the
// volume alone.
func trace(begin func(ctx context.Context, method, volume, traceparent string) (context.Context, func(codes.Code))) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		traceparent := ""
		if from := metadata.ValueFromIncomingContext(ctx, "traceparent"); len(from) > 0 {
			traceparent = from[0]
		}
		ctx, end := begin(ctx, path.Base(info.FullMethod), volumeOf(req), traceparent)
		resp, err := next(ctx, req)
		end(status.Code(err))
		return resp, err
	}
}

// volumeOf is the id of the volume that a call is about, or the name of the one to
// be made; "" = neither.
func volumeOf(req any) string {
	switch r := req.(type) {
	case interface{ GetVolumeId() string }:
		return r.GetVolumeId()
	case interface{ GetSourceVolumeId() string }:
		return r.GetSourceVolumeId()
	case interface{ GetName() string }:
		return r.GetName()
	}
	return ""
}
