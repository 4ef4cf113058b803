// Package target runs the iSCSI targets that are compared: san-array as built
// from this tree, and tgtd.
package target

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// LUN is a logical unit as initiators address it.
type LUN struct {
	Portal string // host:port
	IQN    string
	Number int
}

// process is a target's program. It ends with this one.
type process struct {
	cmd    *exec.Cmd
	said   bytes.Buffer // on standard error
	exited chan struct{}
}

// start runs a program. Each line that it prints goes to lines, if that is
// not nil, which is closed at the end of the output.
func start(cmd *exec.Cmd, lines chan<- string) (*process, error) {
	p := &process{cmd: cmd, exited: make(chan struct{})}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = &p.said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.exited)
		for s := bufio.NewScanner(out); s.Scan(); {
			if lines != nil {
				lines <- s.Text()
			}
		}
		if lines != nil {
			close(lines)
		}
		_ = cmd.Wait() // the process state says all
	}()
	return p, nil
}

// Kill ends the target at once and waits for its end.
func (p *process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.exited
}

// ended is the error of a process that ended on its own.
func (p *process) ended() error {
	return fmt.Errorf("%s ended: %v: %s", p.cmd.Path, p.cmd.ProcessState, bytes.TrimSpace(p.said.Bytes()))
}

// CPU is the time that all threads of the target, ended ones too, ran so far.
func (p *process) CPU() (time.Duration, error) {
	// The clock of another process, as clock_getcpuclockid(3) makes it: the
	// complement of the pid, and 2 for time as the scheduler counts it.
	var now unix.Timespec
	if err := unix.ClockGettime(int32(^p.cmd.Process.Pid<<3|2), &now); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", p.cmd.Process.Pid, err)
	}
	return time.Duration(now.Nano()), nil
}

// RSS is the target's resident set, in bytes.
func (p *process) RSS() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kib int64
	if _, err := fmt.Sscanf(rest, "%d kB", &kib); err != nil {
		return 0, fmt.Errorf("resident set of process %d: %w", p.cmd.Process.Pid, err)
	}
	return kib << 10, nil
}

// until waits for a condition that only asking can tell.
func until(ctx context.Context, p *process, holds func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := holds()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.exited:
			return p.ended()
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}
