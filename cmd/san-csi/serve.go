package main

import (
	"context"
	"os"
	"sync"

	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/config"
	"github.com/san-csi/san-csi/pkg/driver"
	"github.com/san-csi/san-csi/pkg/provision"
)

// service is what is known before anything is served.
type service struct {
	o      *options
	client kubernetes.Interface // nil where Kubernetes is not asked
	arrays *config.Config       // nil without a controller
}

// prepare checks what can be checked before a Lease is held, so that a standby
// with a wrong configuration is seen while the leader still works.
func prepare(o *options) (*service, error) {
	s := &service{o: o}
	var err error
	if s.client, err = connect(o); err != nil {
		return nil, err
	}
	if !o.mode.controller() {
		return s, nil
	}
	s.arrays, err = config.Load(o.arrays)
	return s, err
}

// serve answers CSI calls until the context ends. It returns after the last
// call to an array has ended.
func (s *service) serve(ctx context.Context, health *health) error {
	serving := driver.Options{Version: version}
	flows, err := s.controller(ctx)
	if err != nil {
		return err
	}
	if flows != nil {
		serving.Controller = driver.NewController(flows, flows)
	}
	if s.o.mode.node() {
		if serving.Node, err = nodeService(s.o); err != nil {
			return err
		}
	}
	d, err := driver.New(serving)
	if err != nil {
		return err
	}
	l, err := driver.Listen(s.o.socket())
	if err != nil {
		return err
	}
	health.opened()
	klog.InfoS("serving CSI", "version", version, "mode", s.o.mode, "endpoint", s.o.endpoint, "pid", os.Getpid())
	background, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	if flows != nil {
		running.Go(func() { flows.Sweep(background, s.o.sweepInterval) })
	}
	if s.o.startupTaint != "" {
		running.Go(func() { removeStartupTaint(background, s.client, s.o) })
	}
	return d.Serve(ctx, l)
}

// controller is nil where this process is a node only.
func (s *service) controller(ctx context.Context) (*provision.Flows, error) {
	if s.arrays == nil {
		return nil, nil
	}
	cluster, err := clusterName(ctx, s.client, s.o)
	if err != nil {
		return nil, err
	}
	return controllerFlows(s.arrays, cluster, s.o.maxVolumes)
}
