package guest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// script is a program that plays san-array.
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "array")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestArrayLifecycle(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	config := ArrayConfig{Binary: script(t, `echo "args: $*"; echo "ready api=https://192.0.2.1:443"; exec sleep 1000`), DataDir: "/data", TotalIOPS: 500}
	array, err := startArray(t.Context(), config, log)
	if err != nil {
		t.Fatal(err)
	}
	first := array.Pid()
	if err := array.Kill(); err != nil || array.Running() {
		t.Fatalf("after Kill: running %v, %v", array.Running(), err)
	}
	if err := array.Restart(t.Context()); err != nil || !array.Running() || array.Pid() == first {
		t.Fatalf("after Restart: running %v, %v", array.Running(), err)
	}
	// sleep dies of SIGTERM; a program that does not end well is told.
	if err := array.Stop(t.Context()); err == nil || !strings.Contains(err.Error(), "terminated") || array.Running() {
		t.Errorf("after Stop: running %v, %v", array.Running(), err)
	}
	text, err := os.ReadFile(log)
	const want = "args: --data-dir=/data --api-address=192.0.2.1:443 --iscsi-address=192.0.2.1:3260 --iscsi-address=192.0.2.2:3260 --iscsi-redirect --advertise=192.0.2.1 " +
		"--credentials-file=/data/credentials.yaml --total-iops=500\n"
	if err != nil || strings.Count(string(text), want) != 2 {
		t.Errorf("log: %s, %v; want twice %s", text, err, want)
	}
}

func TestArrayStopsInGoodOrder(t *testing.T) {
	// It blocks in the shell itself: a child would outlive it with its output open.
	fifo := filepath.Join(t.TempDir(), "never")
	mkfifo(t, fifo)
	config := ArrayConfig{Binary: script(t, "trap 'exit 0' TERM; exec 3<>"+fifo+"; echo ready; read line <&3"), DataDir: "/data"}
	array, err := startArray(t.Context(), config, filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	if err := array.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestArrayThatDoesNotServe(t *testing.T) {
	tests := map[string]struct{ body, want string }{
		"dies before it is ready": {"echo no such flag >&2; exit 2", "no such flag"},
		"half a line is no line":  {"printf ready; exit 1", "exit status 1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config := ArrayConfig{Binary: script(t, test.body), DataDir: "/data"}
			_, err := startArray(t.Context(), config, filepath.Join(t.TempDir(), "log"))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
	t.Run("is silent until the caller gives up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		fifo := filepath.Join(t.TempDir(), "started")
		config := ArrayConfig{Binary: script(t, "echo > "+fifo+"; exec sleep 1000"), DataDir: "/data"}
		mkfifo(t, fifo)
		go func() {
			os.ReadFile(fifo)
			cancel()
		}()
		_, err := startArray(ctx, config, filepath.Join(t.TempDir(), "log"))
		if err == nil || !strings.Contains(err.Error(), "canceled") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("is not configured", func(t *testing.T) {
		if _, err := startArray(t.Context(), ArrayConfig{Binary: "/bin/true"}, ""); err == nil {
			t.Error("no error without DataDir")
		}
	})
}
