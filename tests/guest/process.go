package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// outputWait bounds the wait for the end of a dead process's output.
const outputWait = 2 * time.Second

// process is a program of the host's side with its output in a log file. Not
// bound to a context: it outlives the call that started it, and the pid
// namespace ends it at the latest.
type process struct {
	name   string
	log    string
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended
}

// startProcess starts cmd with its output appended to the file log. Each line
// of it is shown to watch, if there is one.
func startProcess(name, log string, cmd *exec.Cmd, watch func(line string)) (*process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = file, file
	if watch != nil {
		both := &lineWatcher{file: file, watch: watch}
		cmd.Stdout, cmd.Stderr = both, both
	}
	// A child of the process may keep its output open; its end is its end even so.
	cmd.WaitDelay = outputWait
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), file.Close())
	}
	p := &process{name: name, log: log, cmd: cmd, exited: make(chan struct{})}
	go func() {
		defer close(p.exited)
		defer file.Close()
		_ = cmd.Wait() // the process state says all
	}()
	return p, nil
}

// lineWatcher copies to a file and shows what it copies line by line.
type lineWatcher struct {
	file  *os.File
	watch func(line string)
	rest  []byte // of a line whose end has not come yet
}

func (w *lineWatcher) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		line, rest, whole := bytes.Cut(w.rest, []byte("\n"))
		if !whole {
			break
		}
		w.watch(string(line))
		w.rest = rest
	}
	return w.file.Write(p)
}

// wait waits for the end and returns an error for any but exit code 0.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of %s: %w", p.name, ctx.Err())
	case <-p.exited:
	}
	if !p.cmd.ProcessState.Success() {
		return p.endError()
	}
	return nil
}

// kill ends the process at once and waits for it to be gone.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	<-p.exited
	return nil
}

// stop asks the process to end; at the context's end it kills it.
func (p *process) stop(ctx context.Context) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	err := p.wait(ctx)
	if p.running() {
		return errors.Join(err, p.kill())
	}
	return err
}

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// endError tells how the process ended and what it said last.
func (p *process) endError() error {
	log, _ := os.ReadFile(p.log)
	return fmt.Errorf("%s ended: %v; last of %s: %s", p.name, p.cmd.ProcessState, p.log, lastBytes(string(log), 1500))
}
