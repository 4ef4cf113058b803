package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/san-csi/san-csi/pkg/driver"
)

type identity struct {
	csi.UnimplementedIdentityServer
	ready bool
}

func (i *identity) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{Ready: wrapperspb.Bool(i.ready)}, nil
}

// listening is a socket with a driver behind it that is ready or not.
func listening(t *testing.T, ready bool) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "csi.sock")
	l, err := driver.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	csi.RegisterIdentityServer(server, &identity{ready: ready})
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return socket
}

func TestHealth(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "none.sock")
	held := func(context.Context) error { return nil }
	stuck := func(context.Context) error { return errors.New("the Lease has ended") }
	for name, c := range map[string]struct {
		socket   string
		election func(context.Context) error
		want     int
		says     string
	}{
		"serving":                     {socket: listening(t, true), want: http.StatusOK, says: "ok"},
		"leading":                     {socket: listening(t, true), election: held, want: http.StatusOK, says: "ok"},
		"standing by":                 {socket: listening(t, false), election: held, want: http.StatusOK, says: "ok"},
		"the socket does not answer":  {socket: nowhere, want: http.StatusServiceUnavailable, says: nowhere},
		"the election came to a halt": {socket: listening(t, true), election: stuck, want: http.StatusServiceUnavailable, says: "the Lease has ended"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &health{socket: c.socket, election: c.election}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", nil))
			if w.Code != c.want || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("%d %q, want %d and %q", w.Code, w.Body, c.want, c.says)
			}
		})
	}
}

func TestHealthAddressInUse(t *testing.T) {
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	err := serveHTTP(t.Context(), "--http-endpoint", taken.Listener.Addr().String(), "GET /healthz", new(health))
	if err == nil || !strings.Contains(err.Error(), "--http-endpoint") {
		t.Errorf("%v, want an error that names the flag", err)
	}
	if err := serveHTTP(t.Context(), "--http-endpoint", "", "GET /healthz", new(health)); err != nil {
		t.Errorf("no address: %v", err)
	}
}
