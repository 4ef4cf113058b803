package secrets

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Collector takes drivers' spans, as an OpenTelemetry collector does (OTLP over
// HTTP), and keeps them in a file to be looked through.
type Collector struct {
	listener net.Listener
	server   *http.Server

	mu       sync.Mutex
	file     *os.File
	requests int
	err      error // what kept spans from the file
}

// Collect listens on an address host:port, port 0 = a free one.
func Collect(address, file string) (*Collector, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	c := &Collector{listener: l, file: f}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", c.take)
	c.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = c.server.Serve(l) }() // ends with Close
	return c, nil
}

// Endpoint is what drivers are told.
func (c *Collector) Endpoint() string { return "http://" + c.listener.Addr().String() }

func (c *Collector) take(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, cut := io.ReadAll(r.Body) // of a driver that is killed meanwhile; what came is looked through too
	if _, err := c.file.Write(append(body, '\n')); err != nil {
		c.err = errors.Join(c.err, err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if cut != nil {
		return
	}
	c.requests++
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "{}")
}

// Check looks for secrets in the spans that came; none at all is an error.
func (c *Collector) Check(s *Scanner) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return fmt.Errorf("spans: %w", c.err)
	}
	if c.requests == 0 {
		return errors.New("no span came, so there is nothing to look through")
	}
	return s.Files(c.file.Name())
}

// Close ends it.
func (c *Collector) Close() error { return errors.Join(c.server.Close(), c.file.Close()) }
