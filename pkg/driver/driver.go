// Package driver serves CSI over gRPC: it decodes a request, calls one flow and
// encodes the answer. CSI codes live only here.
package driver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"github.com/kubernetes-csi/csi-lib-utils/protosanitizer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/klog/v2"
)

// Name is the driver's name in Kubernetes.
const Name = "san-csi.io"

// Options are what a driver serves: at least one of Controller and Node.
type Options struct {
	Version string
	// Standby: serve nothing but the identity, not ready, until Activate.
	Standby    bool
	Controller *Controller
	Groups     *GroupController // beside a Controller; may be nil
	Node       *Node
	// Topology: some volumes are not reached from every node.
	Topology bool
	// Observe is told of each call, its gRPC code's name and how long it took; may
	// be nil.
	Observe func(method, code string, took time.Duration)
	// Trace begins the trace of a call, as part of the caller's that traceparent
	// names; what it returns ends it. May be nil.
	Trace func(ctx context.Context, method, volume, traceparent string) (context.Context, func(code codes.Code))
}

// streamWorkers are goroutines that serve one call after the other, so that not
// each call has to grow a stack of its own.
const streamWorkers = 8

// window is for the requests that are on their way, of a stream and of all,
// bytes. It is many times what they have; one that is not fixed costs each call
// a ping, to measure a network that the socket has not.
const window = 64 << 10

// Driver is one CSI endpoint.
type Driver struct {
	server *grpc.Server
	duty   *duty
}

// New is a driver that serves what the options name.
func New(o Options) (*Driver, error) {
	if o.Controller == nil && o.Node == nil {
		return nil, errors.New("a driver without controller and node serves nothing")
	}
	d := &duty{}
	d.active.Store(!o.Standby)
	s := grpc.NewServer(grpc.NumStreamWorkers(streamWorkers), grpc.StaticStreamWindowSize(window), grpc.StaticConnWindowSize(window),
		grpc.ChainUnaryInterceptor(append(o.watchers(), intercept, d.intercept)...))
	csi.RegisterIdentityServer(s, &identity{version: o.Version, controller: o.Controller != nil, groups: o.Groups != nil, topology: o.Topology, duty: d})
	if o.Controller != nil {
		csi.RegisterControllerServer(s, o.Controller)
	}
	if o.Groups != nil {
		csi.RegisterGroupControllerServer(s, o.Groups)
	}
	if o.Node != nil {
		csi.RegisterNodeServer(s, o.Node)
	}
	return &Driver{server: s, duty: d}, nil
}

// Activate ends a standby: the driver is ready and answers all calls.
func (d *Driver) Activate() { d.duty.active.Store(true) }

// Serve answers on the listener until the context ends; calls in flight are
// finished first.
func (d *Driver) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, d.server.GracefulStop)
	defer stop()
	if err := d.server.Serve(l); err != nil {
		return fmt.Errorf("serve CSI on %s: %w", l.Addr(), err)
	}
	return nil
}

// Listen opens the unix socket of a CSI endpoint, in place of one that a killed
// process left behind.
func Listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("CSI endpoint: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("CSI endpoint: %w", err)
	}
	return l, nil
}

// intercept logs each call without its secrets, gives errors their codes and
// keeps a panic of one call from ending all others.
func intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	log := klog.FromContext(ctx).WithValues("method", info.FullMethod)
	ctx = klog.NewContext(ctx, log)
	start := time.Now()
	told := log.V(4)
	if told.Enabled() {
		told.Info("call", "request", protosanitizer.StripSecrets(req))
	}
	defer func() {
		if r := recover(); r != nil {
			log.Error(nil, "panic", "recovered", r)
			err = status.Errorf(codes.Internal, "%s: internal fault", info.FullMethod)
		}
		if err = toStatus(err); err != nil {
			log.Error(err, "call failed", "code", status.Code(err), "took", time.Since(start))
			return
		}
		if told.Enabled() {
			told.Info("call done", "response", protosanitizer.StripSecrets(resp), "took", time.Since(start))
		}
	}()
	return next(ctx, req)
}
