//go:build guest

package guest_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/san-csi/san-csi/tests/guest"
)

// childVariable makes the test program play a program of its own, isolated in
// namespaces below the test's.
const childVariable = "SAN_CSI_GUEST_TEST_CHILD"

var children = map[string]func() int{
	"boot":    childBoots,
	"succeed": func() int { return 0 },
	"fail":    func() int { return 3 },
	"crash":   childCrashes,
	"wait":    childWaits,
}

// childBoots boots a guest, tells the run's directory, and waits to be killed.
func childBoots() int {
	dir, err := guest.RunDir()
	if err != nil {
		return 1
	}
	if _, err := guest.Boot(context.Background(), guest.Config{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("booted", dir)
	return childWaits()
}

func childCrashes() int { panic("crash") }

// childWaits ends well on SIGTERM.
func childWaits() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fmt.Println("waiting")
	<-ctx.Done()
	return 0
}

// child is the test program about to be run as another.
func child(t *testing.T, role string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+role)
	return cmd
}

// startChild starts a child and returns its standard output.
func startChild(t *testing.T, role string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := child(t, role)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewReader(stdout)
}

func TestKilledProgramLeavesNothingRunning(t *testing.T) {
	cmd, stdout := startChild(t, "boot")
	line, err := stdout.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	// The run's whole directory; QEMU's arguments name files in it.
	dir := filepath.Dir(strings.TrimSpace(strings.TrimPrefix(line, "booted")))
	running := openProcesses(t, "qemu-system", dir)
	if len(running) != 1 {
		t.Fatalf("%d QEMU processes use %s, want 1", len(running), dir)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, pidfd := range running {
		// Readable when the process has ended; the test's time limit bounds it.
		for {
			_, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, -1)
			if !errors.Is(err, unix.EINTR) {
				break
			}
		}
		unix.Close(pidfd)
	}
	_ = cmd.Wait()
	if left := openProcesses(t, "", dir); len(left) > 0 {
		t.Errorf("%d processes still use %s", len(left), dir)
	}

	// Its directory is removed by whoever comes next.
	if out, err := child(t, "succeed").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", dir, err)
	}
}

// openProcesses returns pidfds of the processes of program that have text in
// their arguments.
func openProcesses(t *testing.T, program, text string) (pidfds []int) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		line, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(line, []byte(program)) || !bytes.Contains(line, []byte(text)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		if pidfd, err := unix.PidfdOpen(pid, 0); err == nil {
			pidfds = append(pidfds, pidfd)
		}
	}
	return pidfds
}

func TestFailureKeepsLogsAndExitCode(t *testing.T) {
	for role, want := range map[string]int{"fail": 3, "crash": 2} {
		t.Run(role, func(t *testing.T) {
			out, err := child(t, role).CombinedOutput()
			failure, ok := errors.AsType[*exec.ExitError](err)
			if !ok || failure.ExitCode() != want {
				t.Fatalf("got %v, want exit code %d; output: %s", err, want, out)
			}
			logs := regexp.MustCompile(`its logs: (\S+)`).FindSubmatch(out)
			if logs == nil {
				t.Fatalf("no place of the logs in: %s", out)
			}
			dir := filepath.Dir(string(logs[1]))
			defer os.RemoveAll(dir)
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) != 1 || entries[0].Name() != "logs" {
				t.Errorf("kept %v, %v; want only logs", entries, err)
			}
		})
	}
}

func TestSignalReachesProgram(t *testing.T) {
	cmd, stdout := startChild(t, "wait")
	if _, err := stdout.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("got %v, want exit code 0", err)
	}
}
