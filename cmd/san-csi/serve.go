package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/config"
	"github.com/san-csi/san-csi/pkg/driver"
	"github.com/san-csi/san-csi/pkg/kube"
	"github.com/san-csi/san-csi/pkg/metrics"
	"github.com/san-csi/san-csi/pkg/provision"
	"github.com/san-csi/san-csi/pkg/tracing"
)

// service is one process's driver and what it works with.
type service struct {
	o        *options
	client   kubernetes.Interface // nil where Kubernetes is not asked
	election *kube.Election       // nil where none is held
	arrays   *arrays              // nil without a controller
	flows    *provision.Flows     // nil without a controller
	fences   *provision.Fences    // nil without a controller
	node     *node                // nil without a node
	driver   *driver.Driver
	metrics  *metrics.Metrics
	tracer   *tracing.Tracer // nil where no collector is named
	leads    atomic.Bool
}

// prepare checks what can be checked before a Lease is held, so that a standby
// with a wrong configuration is seen while the leader still works. No array is
// called.
func prepare(ctx context.Context, o *options) (*service, error) {
	s := &service{o: o, metrics: metrics.New(version, o.mode.controller())}
	var err error
	if s.tracer, err = newTracer(o); err != nil {
		return nil, fmt.Errorf("--tracing-endpoint: %w", err)
	}
	if s.client, err = connect(o); err != nil {
		return nil, err
	}
	if o.leaderElection {
		if s.election, err = newElection(s.client, o.lease); err != nil {
			return nil, err
		}
	}
	serving := driver.Options{Version: version, Standby: o.leaderElection, Observe: s.metrics.Call, Trace: traceCalls(s.tracer)}
	if o.mode.node() {
		if s.node, err = newNode(ctx, s.client, s.metrics, o); err != nil {
			return nil, err
		}
		serving.Node = s.node.service
	}
	if o.mode.controller() {
		if err := s.controller(ctx, &serving); err != nil {
			return nil, err
		}
	}
	s.driver, err = driver.New(serving)
	return s, err
}

// controller adds the controller's service and what goes on behind it.
func (s *service) controller(ctx context.Context, serving *driver.Options) error {
	file, err := config.Load(s.o.arrays)
	if err != nil {
		return err
	}
	cluster, err := clusterName(ctx, s.client, s.o)
	if err != nil {
		return err
	}
	if s.arrays, err = openArrays(file, cluster, s.o, s.metrics, s.tracer); err != nil {
		return err
	}
	var options []provision.Option
	if s.client != nil {
		telling, err := connect(s.o)
		if err != nil {
			return err
		}
		options = append(options, provision.WithClaims(kube.NewClaims(ctx, s.client, telling, driver.Name)))
	}
	s.flows = provision.New(s.arrays.fleet, cluster, options...)
	var local nodeFences
	if s.node != nil {
		local = s.node.fences
	}
	notices, err := newNotices(s.client, s.o, local)
	if err != nil {
		return err
	}
	s.fences = provision.NewFences(s.flows, notices)
	serving.Controller = driver.NewController(s.flows, s.fences, s.flows)
	serving.Groups = driver.NewGroupController(s.flows)
	serving.Topology = slices.ContainsFunc(file.Arrays, func(a config.Array) bool { return len(a.Topology) > 0 })
	tell(s.metrics, s.arrays.fleet, s.flows, s.leads.Load, s.o.volumeMetrics)
	return nil
}

// run serves CSI until the context ends. It returns after the last call to an
// array has ended, but for a Lease that is lost: then at once.
func (s *service) run(ctx context.Context) error {
	l, err := driver.Listen(s.o.socket())
	if err != nil {
		return err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	// A lost Lease or a signal ends this, and only after it has been told so.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var server sync.WaitGroup
	var served error
	server.Go(func() {
		served = s.driver.Serve(serving, l)
		fail(served)
	})
	server.Go(func() { s.tracer.Run(serving) })
	if err := serveHTTP(ctx, "--http-endpoint", s.o.httpEndpoint, "GET /healthz", s.health()); err != nil {
		return err
	}
	if err := serveHTTP(ctx, "--metrics-address", s.o.metricsAddress, "GET /metrics", s.metrics.Handler()); err != nil {
		return err
	}
	klog.InfoS("serving CSI", "version", version, "mode", s.o.mode, "endpoint", s.o.endpoint, "standby", s.o.leaderElection, "pid", os.Getpid())
	err = s.lead(ctx, func(ctx context.Context) error {
		s.driver.Activate()
		s.background(ctx)
		stop()
		server.Wait()
		if s.arrays != nil {
			s.arrays.close()
		}
		return nil
	})
	if errors.Is(err, kube.ErrLost) {
		return err
	}
	stop()
	server.Wait()
	return errors.Join(err, served)
}

// lead does the work for as long as this process holds the Lease; at once, and
// to the end, where there is none to hold.
func (s *service) lead(ctx context.Context, work func(context.Context) error) error {
	if s.election == nil {
		return work(ctx)
	}
	return s.election.Lead(ctx, work)
}

func (s *service) health() *health {
	h := &health{socket: s.o.socket()}
	if s.election != nil {
		h.election = s.election.Healthy
	}
	return h
}

// background does what goes on beside the calls, until the context ends.
func (s *service) background(ctx context.Context) {
	var running sync.WaitGroup
	if s.flows != nil {
		s.leads.Store(true)
		s.metrics.Leading()
		warn := s.warnings(ctx)
		running.Go(func() { s.arrays.fleet.Keep(ctx, s.o.resync, overruns(warn)) })
		running.Go(func() { s.flows.Tend(ctx, s.o.resync, faults(warn)) })
		running.Go(func() { s.watch(ctx) })
		running.Go(func() { s.flows.Sweep(ctx, s.o.sweepInterval) })
		running.Go(func() { s.fences.Run(ctx) })
	}
	if s.node != nil {
		running.Go(func() { s.node.background(ctx, s.o) })
	}
	if s.o.startupTaint != "" {
		running.Go(func() { removeStartupTaint(ctx, s.client, s.o) })
	}
	<-ctx.Done()
	running.Wait()
}

// watch takes over changes of the arrays' file.
func (s *service) watch(ctx context.Context) {
	if err := config.Watch(ctx, s.o.arrays, s.arrays.look, s.arrays.reload); err != nil {
		klog.ErrorS(err, "changes of the arrays' file are seen at the next start only", "file", s.o.arrays)
	}
}
