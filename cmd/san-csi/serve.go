package main

import (
	"context"
	"errors"
	"os"
	"sync"

	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/config"
	"github.com/san-csi/san-csi/pkg/driver"
	"github.com/san-csi/san-csi/pkg/kube"
	"github.com/san-csi/san-csi/pkg/provision"
)

// service is one process's driver and what it works with.
type service struct {
	o        *options
	client   kubernetes.Interface // nil where Kubernetes is not asked
	election *kube.Election       // nil where none is held
	flows    *provision.Flows     // nil without a controller
	driver   *driver.Driver
}

// prepare checks what can be checked before a Lease is held, so that a standby
// with a wrong configuration is seen while the leader still works. No array is
// called.
func prepare(ctx context.Context, o *options) (*service, error) {
	s := &service{o: o}
	var err error
	if s.client, err = connect(o); err != nil {
		return nil, err
	}
	if o.leaderElection {
		if s.election, err = newElection(s.client, o.lease); err != nil {
			return nil, err
		}
	}
	serving := driver.Options{Version: version, Standby: o.leaderElection}
	if s.flows, err = s.controller(ctx); err != nil {
		return nil, err
	}
	if s.flows != nil {
		serving.Controller = driver.NewController(s.flows, s.flows)
	}
	if o.mode.node() {
		if serving.Node, err = nodeService(o); err != nil {
			return nil, err
		}
	}
	s.driver, err = driver.New(serving)
	return s, err
}

// controller is nil where this process is a node only.
func (s *service) controller(ctx context.Context) (*provision.Flows, error) {
	if !s.o.mode.controller() {
		return nil, nil
	}
	file, err := config.Load(s.o.arrays)
	if err != nil {
		return nil, err
	}
	cluster, err := clusterName(ctx, s.client, s.o)
	if err != nil {
		return nil, err
	}
	return controllerFlows(file, cluster, s.o.maxVolumes)
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
	if err := s.health().listen(ctx, s.o.httpEndpoint); err != nil {
		return err
	}
	klog.InfoS("serving CSI", "version", version, "mode", s.o.mode, "endpoint", s.o.endpoint, "standby", s.o.leaderElection, "pid", os.Getpid())
	err = s.lead(ctx, func(ctx context.Context) error {
		s.driver.Activate()
		s.background(ctx)
		stop()
		server.Wait()
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
		running.Go(func() { s.flows.Sweep(ctx, s.o.sweepInterval) })
	}
	if s.o.startupTaint != "" {
		running.Go(func() { removeStartupTaint(ctx, s.client, s.o) })
	}
	<-ctx.Done()
	running.Wait()
}
