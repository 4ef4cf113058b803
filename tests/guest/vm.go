package guest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// cleanupWait bounds the removal of a dead guest's tap, in its own context
// because the caller's may be what ended the guest.
const cleanupWait = 10 * time.Second

// VM is a running guest.
type VM struct {
	Config // as booted, defaults filled in

	world world
	nic   nic
	qemu  *process
	agent *agentClient

	mu   sync.Mutex
	logs []string // paths in the guest that are fetched before it is switched off
}

// Boot starts a guest and returns when it takes commands. Its console is in
// the run's log directory as <name>.console.log.
func Boot(ctx context.Context, config Config) (*VM, error) {
	w, err := currentWorld()
	if err != nil {
		return nil, err
	}
	if err := config.validate(); err != nil {
		return nil, err
	}
	n, err := plug(ctx, filepath.Join(w.scratch(), "addresses"), config.IP)
	if err != nil {
		return nil, err
	}
	vm := &VM{Config: config.withDefaults(n), world: w, nic: n}
	if err := vm.startQEMU(ctx); err != nil {
		return nil, errors.Join(err, vm.unplug())
	}
	if err := vm.agent.waitReady(ctx); err != nil {
		err = fmt.Errorf("boot guest %s: %w; its console: %s", vm.Name, err, vm.consoleLog())
		if !vm.qemu.running() {
			err = errors.Join(err, vm.qemu.endError())
		}
		return nil, errors.Join(err, vm.Kill())
	}
	return vm, nil
}

func (vm *VM) consoleLog() string {
	return filepath.Join(vm.world.logs(), vm.Name+".console.log")
}

// startQEMU starts the emulator with one end of a socket pair as the agent's
// port: no path, no race for who listens first, and an end of file at its death.
func (vm *VM) startQEMU(ctx context.Context) error {
	conn, theirs, err := socketPair()
	if err != nil {
		return err
	}
	defer theirs.Close()
	// Not bound to ctx, which is for the boot alone.
	cmd := command(context.WithoutCancel(ctx), "qemu-system-x86_64", vm.qemuArgs(vm.world.image, vm.nic, vm.consoleLog())...)
	cmd.ExtraFiles = []*os.File{theirs}
	// The file of the root disk's changes.
	cmd.Env = append(cmd.Env, "TMPDIR="+vm.world.scratch())
	vm.qemu, err = startProcess("guest "+vm.Name, filepath.Join(vm.world.logs(), vm.Name+".qemu.log"), cmd, nil)
	if err != nil {
		conn.Close()
		return err
	}
	vm.agent = newAgentClient(conn)
	return nil
}

func socketPair() (ours net.Conn, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	mine := os.NewFile(uintptr(fds[0]), "agent")
	defer mine.Close() // FileConn has a copy
	theirs = os.NewFile(uintptr(fds[1]), "agent")
	ours, err = net.FileConn(mine)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return ours, theirs, nil
}

// Running tells whether the guest has neither been switched off nor died.
func (vm *VM) Running() bool { return vm.qemu.running() }

// Reset restarts the guest as a reset button does and returns when it takes
// commands again. Its root disk keeps what was written to it before the call;
// what its kernel had not written to other devices is lost. What ran is to be
// started anew.
func (vm *VM) Reset(ctx context.Context) error {
	if !vm.Reboots {
		return fmt.Errorf("reset guest %s: its Config does not have Reboots", vm.Name)
	}
	vm.agent.expectHello()
	// The root has no journal: syncfs(2) of it alone.
	_, err := vm.Run(ctx, "sync -f / && echo b > /proc/sysrq-trigger")
	if err != nil && !strings.Contains(err.Error(), restarted) {
		return err
	}
	return wrap(vm.agent.waitReady(ctx), "reset guest %s", vm.Name)
}

// Kill takes the guest's power away: nothing it had not flushed is kept.
func (vm *VM) Kill() error {
	return errors.Join(vm.qemu.kill(), vm.unplug())
}

func (vm *VM) unplug() error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupWait)
	defer cancel()
	return vm.nic.unplug(ctx)
}
