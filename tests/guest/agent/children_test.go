package main

import (
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/san-csi/san-csi/tests/guest/agentapi"
)

// reapingTable is a table that gets orphans too, as PID 1 does.
func reapingTable(t *testing.T) *childTable {
	t.Helper()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	children := newChildTable()
	done := make(chan struct{})
	go func() { defer close(done); children.reap() }()
	t.Cleanup(func() {
		children.close()
		<-done
	})
	return children
}

func shell(script string) []string { return []string{"/bin/sh", "-c", script} }

func TestExitCodes(t *testing.T) {
	children := reapingTable(t)
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 137, "kill -15 $$": 143} {
		got, err := children.run(shell(script))
		if err != nil || got.Code != want {
			t.Errorf("%s: got %d, %v; want %d", script, got.Code, err, want)
		}
	}
	if _, err := children.run([]string{"/no/such/program"}); err == nil {
		t.Error("no error for a program that does not exist")
	}
	if _, err := children.run(nil); err == nil {
		t.Error("no error for no program")
	}
}

// Orphans that end all the time must not take the status of children.
func TestOrphansAndChildrenAtOnce(t *testing.T) {
	children := reapingTable(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			got, err := children.run(shell("(exit 1) & (exit 2) & exit 5"))
			if err != nil || got.Code != 5 {
				t.Errorf("got %d, %v", got.Code, err)
			}
		})
	}
	all.Wait()
}

// A daemon that keeps its starter's output open does not hold up the answer.
func TestDaemonDoesNotBlockItsStarter(t *testing.T) {
	children := reapingTable(t)
	got, err := children.run(shell("sleep 1000 & echo $!"))
	if err != nil || got.Code != 0 {
		t.Fatalf("got %d, %v", got.Code, err)
	}
	if out, err := children.run(shell("kill " + strings.TrimSpace(string(got.Stdout)))); err != nil || out.Code != 0 {
		t.Errorf("the daemon was gone: %s, %v", out.Stderr, err)
	}
}

func TestCancelKillsTheGroup(t *testing.T) {
	s := newServer(reapingTable(t))
	fifo := t.TempDir() + "/running"
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	s.register(4)
	go func() {
		os.ReadFile(fifo)
		if err := s.cancel(4); err != nil {
			t.Error(err)
		}
	}()
	got, err := s.do(agentapi.Request{ID: 4, Op: agentapi.OpExec, Argv: shell("sh -c 'echo >" + fifo + "; sleep 1000'; exit 0")})
	if err != nil || got.Code != 137 {
		t.Errorf("got %d, %v, want 137", got.Code, err)
	}
	if err := s.cancel(4); err != nil {
		t.Errorf("cancel of what has ended: %v", err)
	}
}

func TestCancelOvertakesTheFork(t *testing.T) {
	s := newServer(reapingTable(t))
	s.register(5)
	if err := s.cancel(5); err != nil {
		t.Fatal(err)
	}
	got, err := s.do(agentapi.Request{ID: 5, Op: agentapi.OpExec, Argv: shell("sleep 1000")})
	if err != nil || got.Code != 137 {
		t.Errorf("got %d, %v, want 137", got.Code, err)
	}
}
