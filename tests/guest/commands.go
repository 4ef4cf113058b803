package guest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/san-csi/san-csi/tests/guest/agentapi"
)

// CommandError is a command in a guest that ended with another code than 0.
type CommandError struct {
	Guest, Command string
	Code           int // 128+n for signal n
	Stderr         string
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("guest %s: %s: exit code %d: %s", e.Guest, e.Command, e.Code, strings.TrimSpace(e.Stderr))
}

// Run runs a shell command and returns its standard output. An exit code other
// than 0 is a [*CommandError]. When ctx ends, the command and its process group
// are killed in the guest.
func (vm *VM) Run(ctx context.Context, shell string) (stdout string, err error) {
	resp, err := vm.agent.call(ctx, agentapi.Request{Op: agentapi.OpExec, Argv: shellArgs(shell)})
	if err != nil {
		return "", vm.failed(shell, err)
	}
	if resp.Code != 0 {
		return string(resp.Stdout), &CommandError{Guest: vm.Name, Command: shell, Code: resp.Code, Stderr: string(resp.Stderr)}
	}
	return string(resp.Stdout), nil
}

// Start starts a shell command that outlives the call and returns its process
// ID, which is its process group's and session's too. Its output is appended
// to logPath, which PowerOff fetches into the run's log directory.
func (vm *VM) Start(ctx context.Context, shell, logPath string) (pid int, err error) {
	resp, err := vm.agent.call(ctx, agentapi.Request{
		Op: agentapi.OpStart, Argv: shellArgs(shell), Path: logPath,
	})
	if err != nil {
		return 0, vm.failed(shell, err)
	}
	vm.mu.Lock()
	defer vm.mu.Unlock()
	if !slices.Contains(vm.logs, logPath) {
		vm.logs = append(vm.logs, logPath)
	}
	return resp.PID, nil
}

func shellArgs(shell string) []string { return []string{"/bin/sh", "-c", shell} }

func (vm *VM) failed(what string, err error) error {
	return fmt.Errorf("guest %s: %s: %w", vm.Name, what, err)
}

// Put writes a file in the guest, with its directories. About 4 MB/s under
// emulation: for more than a few MB take [Payload].
func (vm *VM) Put(ctx context.Context, path string, data []byte, mode fs.FileMode) error {
	for offset := 0; offset == 0 || offset < len(data); offset += agentapi.ChunkSize {
		chunk := data[offset:min(offset+agentapi.ChunkSize, len(data))]
		_, err := vm.agent.call(ctx, agentapi.Request{
			Op: agentapi.OpPut, Path: path, Data: chunk, Mode: uint32(mode.Perm()), Append: offset > 0,
		})
		if err != nil {
			return vm.failed("put "+path, err)
		}
	}
	return nil
}

// Get reads a file of the guest.
func (vm *VM) Get(ctx context.Context, path string) ([]byte, error) {
	var content bytes.Buffer
	for {
		resp, err := vm.agent.call(ctx, agentapi.Request{Op: agentapi.OpGet, Path: path, Offset: int64(content.Len())})
		if err != nil {
			return nil, vm.failed("get "+path, err)
		}
		content.Write(resp.Data)
		if resp.EOF {
			return content.Bytes(), nil
		}
	}
}

// Dial connects to a unix socket in the guest, by way of the guest's network;
// gRPC clients take it as their dialer.
func (vm *VM) Dial(ctx context.Context, socket string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp4", net.JoinHostPort(vm.IP, strconv.Itoa(agentapi.ProxyPort)))
	if err != nil {
		return nil, vm.failed("dial "+socket, err)
	}
	// An end of ctx ends the handshake, and nothing later.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	reader, err := handshake(conn, socket)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(vm.failed("dial "+socket, err), conn.Close())
	}
	return &bufferedConn{Conn: conn, reader: reader}, nil
}

func handshake(conn net.Conn, socket string) (*bufio.Reader, error) {
	if _, err := fmt.Fprintf(conn, "%s\n", socket); err != nil {
		return nil, err
	}
	reader := bufio.NewReader(conn)
	answer, err := reader.ReadString('\n')
	if err != nil {
		return nil, err
	}
	if answer = strings.TrimSuffix(answer, "\n"); answer != agentapi.ProxyOK {
		return nil, errors.New(answer)
	}
	return reader, nil
}

// bufferedConn reads first what came in one packet with the proxy's answer.
type bufferedConn struct {
	net.Conn
	reader *bufio.Reader
}

func (c *bufferedConn) Read(p []byte) (int, error) { return c.reader.Read(p) }

// CloseWrite ends what is sent; the rest of the answer can still be read.
func (c *bufferedConn) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }

// StartISCSI starts iscsid, which reads the initiator's name as it starts.
func (vm *VM) StartISCSI(ctx context.Context) error {
	_, err := vm.Run(ctx, "modprobe iscsi_tcp && iscsid")
	return err
}

// StartMultipathd starts multipathd, or starts it anew, with a configuration file
// of that content, and returns when it takes commands.
func (vm *VM) StartMultipathd(ctx context.Context, config string) error {
	if err := vm.Put(ctx, "/etc/multipath.conf", []byte(config), 0o644); err != nil {
		return err
	}
	if err := vm.KillMultipathd(ctx); err != nil {
		return err
	}
	_, err := vm.Run(ctx, "modprobe dm-multipath && multipathd && until multipathd show daemon | grep -q idle; do usleep 50000; done")
	return err
}

// KillMultipathd ends multipathd at once, if it runs; maps stay.
func (vm *VM) KillMultipathd(ctx context.Context) error {
	_, err := vm.Run(ctx, "while pidof multipathd >/dev/null; do killall -q -9 multipathd; usleep 20000; done; rm -f /run/multipathd.pid")
	return err
}

// PowerOff fetches the logs of what was started, switches the guest off
// in good order and waits until it is gone.
func (vm *VM) PowerOff(ctx context.Context) error {
	err := vm.fetchLogs(ctx)
	// The agent does not answer this; its end is the answer.
	_, callErr := vm.agent.call(ctx, agentapi.Request{Op: agentapi.OpPowerOff})
	if ctx.Err() != nil {
		return errors.Join(err, callErr, vm.Kill())
	}
	return errors.Join(err, vm.qemu.wait(ctx), vm.unplug())
}

func (vm *VM) fetchLogs(ctx context.Context) error {
	vm.mu.Lock()
	paths := slices.Clone(vm.logs)
	vm.mu.Unlock()
	var errs []error
	for _, path := range paths {
		content, err := vm.Get(ctx, path)
		if err == nil {
			err = writeFile(filepath.Join(vm.world.logs(), vm.Name+"."+filepath.Base(path)), content)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
