package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// Isolate moves the program into a private world. Called first thing in main
// or TestMain it does not return to that caller: it prepares the guest image,
// runs the program again, with the same arguments, as PID 1 of network, pid and
// mount namespaces of its own (and a user namespace, where the caller is not
// root), and exits with its exit code. In the program run again it returns, the
// network being set up.
//
// Signals to the outer process reach the inner one. When either ends, however
// it ends, the kernel kills what is left in the namespaces, QEMU included. After a
// failure the logs stay and stderr has their place; all else is removed.
func Isolate() {
	if Isolated() {
		if err := enter(context.Background()); err != nil {
			fmt.Fprintf(os.Stderr, "guest: %v\n", err)
			os.Exit(1)
		}
		return
	}
	// The child's parent-death signal is tied to this very thread.
	runtime.LockOSThread()
	code, err := runIsolated()
	if err != nil {
		fmt.Fprintf(os.Stderr, "guest: %v\n", err)
	}
	os.Exit(code)
}

// runIsolated is the outer process: it returns the inner one's exit code.
func runIsolated() (code int, err error) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP)

	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	image, err := Prepare(ctx)
	cancel()
	if err != nil {
		return 1, err
	}
	w, err := newWorld(image)
	if err != nil {
		return 1, err
	}
	code, err = runInNamespaces(w, signals)
	if code != 0 {
		fmt.Fprintf(os.Stderr, "guest: the run failed with exit code %d; its logs: %s\n", code, w.logs())
		return code, errors.Join(err, w.keepLogs())
	}
	return code, errors.Join(err, w.remove())
}

func runInNamespaces(w world, signals <-chan os.Signal) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), runDirVariable+"="+w.dir, imageVariable+"="+w.image.Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
		// A terminal's ^C comes to this process alone, which passes it on once.
		Setpgid: true,
	}
	if os.Geteuid() != 0 {
		mapToRoot(cmd.SysProcAttr)
	}
	if err := cmd.Start(); err != nil {
		return 1, fmt.Errorf("make namespaces (CAP_SYS_ADMIN or unprivileged user namespaces are needed): %w", err)
	}
	done := make(chan struct{})
	defer close(done)
	go forward(signals, cmd.Process, done)

	err = cmd.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); exited || err == nil {
		return exitCode(cmd.ProcessState), nil
	}
	return 1, err
}

// forward passes signals on; a second request to stop is not asked for politely.
func forward(signals <-chan os.Signal, process *os.Process, done <-chan struct{}) {
	asked := false
	for {
		select {
		case <-done:
			return
		case s := <-signals:
			stop := s == syscall.SIGINT || s == syscall.SIGTERM
			if stop && asked {
				s = syscall.SIGKILL
			}
			asked = asked || stop
			// A process that has just ended cannot be signalled, and need not be.
			_ = process.Signal(s)
		}
	}
}

// exitCode is the shell's: 128+n for a process that signal n ended.
func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// enter finishes the namespaces from the inside.
func enter(ctx context.Context) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	return makeBridge(ctx)
}
