package guest

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"
)

// servicePoll is how often a service that starts is asked whether it serves.
const servicePoll = 100 * time.Millisecond

// Service is a program on the host's side of the private network.
type Service struct{ process *process }

// StartService starts a program with its output in <name>.log of the run's log
// directory. It is up to the caller to know when it serves.
func StartService(name string, cmd *exec.Cmd) (*Service, error) {
	w, err := currentWorld()
	if err != nil {
		return nil, err
	}
	p, err := startProcess(name, filepath.Join(w.logs(), name+".log"), cmd, nil)
	if err != nil {
		return nil, err
	}
	return &Service{process: p}, nil
}

// Stop asks the program to end; if it has not when ctx ends, it is killed and
// that is an error.
func (s *Service) Stop(ctx context.Context) error { return s.process.stop(ctx) }

// Kill ends the program at once.
func (s *Service) Kill() error { return s.process.kill() }

// Err is nil while the program runs, and then says how it ended.
func (s *Service) Err() error {
	if s.process.running() {
		return nil
	}
	return s.process.endError()
}

// Wait asks ready until it has no error, the program has ended, or ctx
// has. It is for programs that say in no better way that they serve.
func (s *Service) Wait(ctx context.Context, ready func(context.Context) error) error {
	tick := time.NewTicker(servicePoll)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.process.exited:
			return s.process.endError()
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("wait for %s to serve: %w; its log: %s", s.process.name, ctx.Err(), s.process.log), err)
		case <-tick.C:
		}
	}
}
