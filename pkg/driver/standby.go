package driver

import (
	"context"
	"strings"
	"sync/atomic"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// duty is whether this driver serves or stands by. A standby answers who it is
// and that it is not ready, which is what the sidecars beside it wait on; it
// refuses all else, since another process may be at the arrays.
type duty struct{ active atomic.Bool }

func (d *duty) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if !d.active.Load() && !strings.HasPrefix(info.FullMethod, "/"+csi.Identity_ServiceDesc.ServiceName+"/") {
		return nil, status.Errorf(codes.Unavailable, "%s: this driver stands by, another one leads", info.FullMethod)
	}
	return next(ctx, req)
}
