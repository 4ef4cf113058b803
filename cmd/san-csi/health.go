package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"k8s.io/klog/v2"
)

// probeTimeout bounds one look at the own socket.
const probeTimeout = 3 * time.Second

// health answers whether this process is worth keeping: its socket answers,
// and its election, if it holds one, goes on. A standby, which is not ready,
// is as healthy as a leader.
type health struct {
	socket   string
	election func(context.Context) error // nil without an election
}

// serveHTTP answers on that address until the context ends; with "" it does
// nothing. The flag is told in errors.
func serveHTTP(ctx context.Context, flag, address, pattern string, h http.Handler) error {
	if address == "" {
		return nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("%s %s: %w", flag, address, err)
	}
	mux := http.NewServeMux()
	mux.Handle(pattern, h)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: probeTimeout}
	context.AfterFunc(ctx, func() {
		if err := server.Close(); err != nil {
			klog.ErrorS(err, "close the HTTP endpoint", "flag", flag, "address", address)
		}
	})
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			klog.ErrorS(err, "HTTP endpoint", "flag", flag, "address", address)
		}
	}()
	return nil
}

// ServeHTTP answers 200 or 503 with the reason.
func (h *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
	defer cancel()
	if err := h.check(ctx); err != nil {
		klog.ErrorS(err, "not healthy")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (h *health) check(ctx context.Context) error {
	if h.election != nil {
		if err := h.election(ctx); err != nil {
			return err
		}
	}
	return probe(ctx, h.socket)
}

// probe asks the socket as the kubelet and the sidecars do.
func probe(ctx context.Context, socket string) error {
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("probe %s: %w", socket, err)
	}
	defer conn.Close()
	if _, err := csi.NewIdentityClient(conn).Probe(ctx, &csi.ProbeRequest{}); err != nil {
		return fmt.Errorf("probe %s: %w", socket, err)
	}
	return nil
}
