package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/san-csi/san-csi/tests/guest/agentapi"
)

// portWait bounds the wait for the virtio-serial port to be probed.
const portWait = 30 * time.Second

// openPort opens the port the harness is at the other end of.
func openPort() (*os.File, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(portWait)
	for {
		names, _ := filepath.Glob("/sys/class/virtio-ports/*/name")
		for _, path := range names {
			name, err := os.ReadFile(path)
			if err == nil && strings.TrimSpace(string(name)) == agentapi.PortName {
				return os.OpenFile("/dev/"+filepath.Base(filepath.Dir(path)), os.O_RDWR, 0)
			}
		}
		select {
		case <-limit:
			return nil, fmt.Errorf("no virtio-serial port %q after %v", agentapi.PortName, portWait)
		case <-tick.C:
		}
	}
}

// server carries out requests, each in a goroutine of its own.
type server struct {
	children *childTable

	write   sync.Mutex
	encoder *json.Encoder

	mu      sync.Mutex
	running map[int64]*execution // by the request's ID
}

// execution is an exec from its arrival on: a cancel may overtake the fork.
type execution struct {
	pid       int // also of the process group; 0 before the fork
	cancelled bool
}

func (e *execution) kill() error {
	if err := syscall.Kill(-e.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

func newServer(children *childTable) *server {
	return &server{children: children, running: map[int64]*execution{}}
}

// serve says hello and answers until the other end is closed.
func (s *server) serve(port io.ReadWriter) error {
	s.encoder = json.NewEncoder(port)
	s.send(agentapi.Response{})
	lines := bufio.NewReaderSize(port, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return fmt.Errorf("harness is gone: %w", err)
		}
		var req agentapi.Request
		if err := json.Unmarshal(line, &req); err != nil {
			return fmt.Errorf("request of %d bytes: %w", len(line), err)
		}
		switch req.Op {
		case agentapi.OpPut: // chunks of a file come, and must be written, in order
			s.answer(req)
			continue
		case agentapi.OpExec:
			s.register(req.ID)
		}
		go s.answer(req)
	}
}

func (s *server) answer(req agentapi.Request) {
	resp, err := s.do(req)
	if err != nil {
		resp.Error = err.Error()
	}
	resp.ID = req.ID
	s.send(resp)
}

func (s *server) send(resp agentapi.Response) {
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.encoder.Encode(resp); err != nil {
		logf("answer %d: %v", resp.ID, err)
	}
}

func (s *server) do(req agentapi.Request) (agentapi.Response, error) {
	switch req.Op {
	case agentapi.OpExec:
		return s.exec(req)
	case agentapi.OpStart:
		return s.start(req)
	case agentapi.OpCancel:
		return agentapi.Response{}, s.cancel(req.Target)
	case agentapi.OpPut:
		return agentapi.Response{}, putFile(req)
	case agentapi.OpGet:
		return getFile(req)
	case agentapi.OpPowerOff:
		powerOff()
	}
	return agentapi.Response{}, fmt.Errorf("unknown operation %q", req.Op)
}

func (s *server) register(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[id] = &execution{}
}

func (s *server) exec(req agentapi.Request) (agentapi.Response, error) {
	defer func() {
		s.mu.Lock()
		delete(s.running, req.ID)
		s.mu.Unlock()
	}()
	return s.children.runNotify(req.Argv, func(pid int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		e := s.running[req.ID]
		e.pid = pid
		if e.cancelled {
			if err := e.kill(); err != nil {
				logf("cancel %d: %v", req.ID, err)
			}
		}
	})
}

func (s *server) start(req agentapi.Request) (agentapi.Response, error) {
	if err := os.MkdirAll(filepath.Dir(req.Path), 0o755); err != nil {
		return agentapi.Response{}, err
	}
	output, err := os.OpenFile(req.Path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return agentapi.Response{}, err
	}
	defer output.Close()
	pid, _, err := s.children.start(req.Argv, output, output)
	return agentapi.Response{PID: pid}, err
}

// cancel kills the process group of an exec. One that has ended is no error.
func (s *server) cancel(id int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.running[id]
	if !ok {
		return nil
	}
	e.cancelled = true
	if e.pid == 0 {
		return nil // killed as soon as it is there
	}
	return e.kill()
}
