package softarray

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/softarray/api"
)

const (
	// upkeepPeriod is how often the recycle bin is looked through and the
	// statistics are saved.
	upkeepPeriod = time.Minute
	// faultPeriod is how old the list of faults may be, as on the real array.
	faultPeriod = 30 * time.Second
	// drainTime bounds how long calls under way may hold up the end.
	drainTime = 5 * time.Second
)

// Run serves the API over TLS on one listener and iSCSI on the others until
// ctx ends or one of them fails, and closes them all. It returns nil where ctx
// ended; every command that was acknowledged has ended by then.
func (a *Array) Run(ctx context.Context, apiListener net.Listener, portals ...net.Listener) error {
	address, err := a.address(portals)
	if err != nil {
		return err
	}
	node, err := a.redirect(portals)
	if err != nil {
		return err
	}
	certificate, err := a.certificate(address)
	if err != nil {
		return err
	}
	server := api.New(api.Config{
		Store: a.store, Data: dataSide{volumes: a.volumes, targets: a.targets}, Clock: a.config.Clock,
		Username: a.config.Username, Password: a.config.Password,
		TotalIOPS: a.config.TotalIOPS, Capacity: a.config.Capacity, Address: address, NodeAddress: node,
		Dialect: a.config.Dialect, StrictAdmission: a.config.StrictAdmission, FaultInjection: a.config.FaultInjection,
	})
	if err := a.logStart(ctx, address); err != nil {
		return err
	}
	a.checkFaults(ctx, server)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return serveAPI(ctx, apiListener, server, certificate) })
	for _, portal := range portals {
		g.Go(func() error { return a.targets.Serve(ctx, portal) })
	}
	g.Go(func() error { return server.RunJobs(ctx) })
	g.Go(func() error { return a.every(ctx, api.SamplePeriod, a.sample) })
	g.Go(func() error {
		return a.every(ctx, faultPeriod, func(ctx context.Context) { a.checkFaults(ctx, server) })
	})
	g.Go(func() error { return a.every(ctx, upkeepPeriod, func(ctx context.Context) { a.upkeep(ctx, server) }) })
	return g.Wait()
}

func serveAPI(ctx context.Context, l net.Listener, handler http.Handler, certificate tls.Certificate) error {
	server := &http.Server{
		Handler:           handler,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          log.New(handshakeLog{}, "", 0),
	}
	drained := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		err := server.Shutdown(drain)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close()
		}
		drained <- err
	})
	err := server.ServeTLS(l, "", "")
	if stop() || !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the API on %s: %w", l.Addr(), err)
	}
	return <-drained
}

// handshakeLog keeps what the HTTP server says of single connections, such as
// handshakes given up, out of the ordinary log.
type handshakeLog struct{}

func (handshakeLog) Write(p []byte) (int, error) {
	klog.V(2).InfoS("API connection", "message", string(p))
	return len(p), nil
}

// every does something at each tick until ctx ends.
func (a *Array) every(ctx context.Context, period time.Duration, do func(context.Context)) error {
	ticker := a.config.Clock.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C():
			do(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

func (a *Array) sample(context.Context) { a.volumes.sample(a.targets.Sessions()) }

// upkeep is repeated at the next tick, so that an error is told and no more.
func (a *Array) upkeep(ctx context.Context, server *api.Server) {
	if err := errors.Join(server.PurgeDue(ctx), server.ExpireSnapshots(ctx), a.volumes.save()); err != nil {
		klog.FromContext(ctx).Error(err, "Upkeep failed; it is repeated")
	}
}

func (a *Array) checkFaults(ctx context.Context, server *api.Server) {
	if err := server.CheckFaults(ctx); err != nil {
		klog.FromContext(ctx).Error(err, "Checking for faults failed; it is repeated")
	}
}
