package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"

	"github.com/san-csi/san-csi/tests/guest/agentapi"
)

// childTable owns every wait of the process. PID 1 must reap orphans it never
// started, so wait4(-1) is called in one place and the statuses of children it
// did start are handed to those who wait for them.
type childTable struct {
	mu      sync.Mutex
	waiters map[int]chan syscall.WaitStatus
	signals chan os.Signal
}

func newChildTable() *childTable {
	t := &childTable{waiters: map[int]chan syscall.WaitStatus{}, signals: make(chan os.Signal, 1)}
	signal.Notify(t.signals, syscall.SIGCHLD)
	return t
}

// close ends reap.
func (t *childTable) close() {
	signal.Stop(t.signals)
	close(t.signals)
}

// reap collects every child that ends, until close.
func (t *childTable) reap() {
	for range t.signals {
		for {
			var status syscall.WaitStatus
			pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
			if err == syscall.EINTR {
				continue
			}
			if err != nil || pid <= 0 {
				break
			}
			t.deliver(pid, status)
		}
	}
}

func (t *childTable) deliver(pid int, status syscall.WaitStatus) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if waiter, ok := t.waiters[pid]; ok {
		waiter <- status
		delete(t.waiters, pid)
	}
}

// start starts argv in a session of its own with its output in the files. The
// lock is held from the fork to the registration, so that the status of a
// child that ends at once is not taken for an orphan's.
func (t *childTable) start(argv []string, stdout, stderr *os.File) (pid int, status <-chan syscall.WaitStatus, err error) {
	if len(argv) == 0 {
		return 0, nil, fmt.Errorf("no command")
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}

	t.mu.Lock()
	defer t.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	pid = cmd.Process.Pid
	waiter := make(chan syscall.WaitStatus, 1)
	t.waiters[pid] = waiter
	// The table waits, not the os package.
	return pid, waiter, cmd.Process.Release()
}

// run runs argv to its end.
func (t *childTable) run(argv []string) (agentapi.Response, error) {
	return t.runNotify(argv, func(int) {})
}

// runNotify is run that tells the process id as soon as there is one. Output
// goes through unlinked files, not pipes: a daemon that keeps its starter's
// output open must not make the starter look alive.
func (t *childTable) runNotify(argv []string, started func(pid int)) (agentapi.Response, error) {
	stdout, err := scratchFile()
	if err != nil {
		return agentapi.Response{}, err
	}
	defer stdout.Close()
	stderr, err := scratchFile()
	if err != nil {
		return agentapi.Response{}, err
	}
	defer stderr.Close()

	pid, status, err := t.start(argv, stdout, stderr)
	if err != nil {
		return agentapi.Response{}, err
	}
	started(pid)
	resp := agentapi.Response{PID: pid, Code: exitCode(<-status)}
	if resp.Stdout, err = readAll(stdout); err != nil {
		return resp, err
	}
	resp.Stderr, err = readAll(stderr)
	return resp, err
}

func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

func scratchFile() (*os.File, error) {
	f, err := os.CreateTemp("/tmp", "agent-")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

func readAll(f *os.File) ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(f, 0, 1<<62))
}
