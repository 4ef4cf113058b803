package controller

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a program that can be killed and started again, with its output
// in a log file.
type process struct {
	log  string
	path string
	args []string

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
}

// start starts the program, which must not run.
func (p *process) start(ctx context.Context) error {
	file, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), p.path, p.args...)
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", p.path, err), file.Close())
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		defer file.Close()
		_ = cmd.Wait() // the process state says all
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd, p.exited = cmd, exited
	return nil
}

// Kill is kill -9; it returns when the process is gone.
func (p *process) Kill() error {
	p.mu.Lock()
	cmd, exited := p.cmd, p.exited
	p.mu.Unlock()
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.path, err)
	}
	<-exited
	return nil
}

// Stop is SIGTERM; it returns when the process is gone.
func (p *process) Stop() error {
	p.mu.Lock()
	cmd, exited := p.cmd, p.exited
	p.mu.Unlock()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end %s: %w", p.path, err)
	}
	<-exited
	return nil
}

// await waits until ready says so; an error where the process ends before.
func (p *process) await(ctx context.Context, ready func(context.Context) bool) error {
	p.mu.Lock()
	exited := p.exited
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !ready(ctx) {
		select {
		case <-exited:
			return fmt.Errorf("%s ended: %s", p.path, p.last())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w: %s", p.path, ctx.Err(), p.last())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// last is the end of the log.
func (p *process) last() string {
	text, _ := os.ReadFile(p.log)
	return string(text[max(0, len(text)-2000):])
}

func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid
}

// Log is the path of the log.
func (p *process) Log() string { return p.log }

// CPU is the processor time that the running process's threads have used; Go
// ends none. The kernel's scheduler counts it in nanoseconds, stat(5) in 10 ms.
func (p *process) CPU() (time.Duration, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.pid()))
	if err != nil {
		return 0, err
	}
	var used time.Duration
	for _, file := range threads {
		raw, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		ran, _, _ := strings.Cut(string(raw), " ")
		ns, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		used += time.Duration(ns)
	}
	return used, nil
}

// RSS is the resident set of the running process, bytes: at present, and the
// most there ever was.
func (p *process) RSS() (now, peak int64, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid()))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(raw)) {
		for key, to := range map[string]*int64{"VmRSS:": &now, "VmHWM:": &peak} {
			if rest, ok := strings.CutPrefix(line, key); ok {
				if _, err := fmt.Sscanf(rest, "%d kB", to); err != nil {
					return 0, 0, err
				}
				*to <<= 10
			}
		}
	}
	return now, peak, nil
}
